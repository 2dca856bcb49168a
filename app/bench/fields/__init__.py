"""Extraction measured: fields of real contracts and receipts, beside plain retrieval and regular expressions."""
