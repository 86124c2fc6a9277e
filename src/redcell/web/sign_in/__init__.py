"""Sign-in: password, passkey, one-time link, the hospital's sign-in; the account; break-glass."""
