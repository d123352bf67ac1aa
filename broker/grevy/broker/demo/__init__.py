"""`make demo`: one broker runs an order process, on the screen."""
