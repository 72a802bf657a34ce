"""Bookings: what was asked for, its price, its payments, and a status history that nobody can rewrite."""
