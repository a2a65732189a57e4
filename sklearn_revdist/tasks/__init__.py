"""What is to be predicted: scans, and labels of proteins or residues, read from files."""
