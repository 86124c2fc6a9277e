"""What stands before every route: who asks, may they, is it our own form, and the headers."""
