"""The command line. Each module here is imported only when one of its commands runs."""
