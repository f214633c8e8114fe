"""What people give: annotations, labels, descriptions in words."""
