"""Folders and git checkouts: which of their files are read, and which are left out for what reason."""

from ingest.folder.survey import Listed, Survey, shown, survey_folder

__all__ = ["Listed", "Survey", "shown", "survey_folder"]
