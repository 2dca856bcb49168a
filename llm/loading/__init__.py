"""Checkpoints that are not packaged: which class opens them, in which formats their weights come and stay.

`load_checkpoint` is the door. A folder opens no connection; a hub name does, because the person asked for it.
"""
