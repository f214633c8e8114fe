"""What was done with the tables: the audit log, certificates of erasure, and the record of each run."""
