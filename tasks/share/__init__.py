"""What a paper needs of the tables: the methods paragraph, and citations."""
