"""The language of a file by its name and first line."""

import pytest

from ingest.code import language_of


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a.py", "python"), ("src/a.PY", "python"), ("a.pyi", "python"), ("a.js", "javascript"), ("a.tsx", "tsx"),
        ("a.h", "c"), ("a.cc", "c++"), ("a.cs", "c#"), ("a.rs", "rust"), ("a.kt", "kotlin"), ("Makefile", "makefile"),
        ("deep/Dockerfile", "docker"), ("CMakeLists.txt", "cmake"), ("a.yaml", "yaml"), ("pyproject.toml", "toml"),
        (".env", "bash"), (".env.local", "bash"), ("go.mod", "go module"), ("a.r", "r"), ("a.cu", "cuda"),
        ("notes.txt", None), ("README", None), ("README.md", None), ("a.html", None), ("letter.eml", None),
        ("data.csv", None), ("a.unknown", None),
    ],
)  # fmt: skip
def test_by_name(name: str, language: str | None) -> None:
    assert language_of(name) == language


@pytest.mark.parametrize(
    ("first_line", "language"),
    [
        ("#!/usr/bin/env python3", "python"), ("#!/bin/sh -e", "bash"), ("#! /usr/bin/env -S node --x", "javascript"),
        ("#!/usr/bin/perl5.36", "perl"), ("#!/opt/strange", None), ("python", None),
    ],
)  # fmt: skip
def test_by_shebang_only_without_a_suffix(first_line: str, language: str | None) -> None:
    assert language_of("run", first_line) == language
    assert language_of("run.txt", first_line) is None
