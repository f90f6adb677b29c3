"""The papers' tables and figures on the user's logs."""
