"""How far facts are restricted, by their labels and by consents, and who may still see them."""
