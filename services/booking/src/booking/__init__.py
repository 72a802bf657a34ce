"""Bookings: details, price, payments, and a status history that nobody can change."""
