"""What every Python suite under tests/ shares: processes, certificates, raw requests, the arithmetic of the format."""
