"""Assays: from a spreadsheet of measured variants to a model that predicts new ones."""
