"""What people see: tables in a terminal or a log."""
