"""The names that code defines, in every language with a grammar and by keyword."""

import pytest

from ingest.code.definitions import definitions_of, has_definitions
from ingest.code.queries import GRAMMARS

PYTHON = '''"""A module."""
import os

LIMIT = 3
path: str = os.name


class Reader(Base):
    SUFFIX = ".txt"
    count: int = 0

    @property
    def name(self):
        def inner():
            pass

    class Inner:
        async def run(self): ...


async def main():
    local = 1


if LIMIT:

    def conditional(): ...
'''


def names(text: str, language: str) -> list[str]:
    return [f"{each.kind} {each.name} {each.line}" for each in definitions_of(text, language)]


def test_python_with_classes_constants_and_nothing_local() -> None:
    assert names(PYTHON, "python") == [
        "constant LIMIT 4",
        "variable path 5",
        "class Reader 8",
        "constant Reader.SUFFIX 9",
        "method Reader.name 13",
        "class Reader.Inner 17",
        "method Reader.Inner.run 18",
        "function main 21",
        "function conditional 27",
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "javascript",
            "const a = 1, b = () => { const c = 2; };\nclass A { m() { function x() {} } }\n"
            "module.exports.q = () => 1;\nexport const Q = 3;\n(function () { function inside() {} })();",
            "constant a 1; function b 1; class A 2; method A.m 2; function module.exports.q 3; constant Q 4; "
            "function inside 5",
        ),
        ("jsx", "function App() { return <p>{f(1)}</p>; }", "function App 1"),
        (
            "typescript",
            "export class Foo { m() {} }\ninterface I { f(): void }\ntype T = string;\nenum E { A }\n"
            "abstract class Z { abstract q(): void }\nnamespace N { function h() {} }",
            "class Foo 1; method Foo.m 1; interface I 2; method I.f 2; type T 3; enum E 4; class Z 5; method Z.q 5; "
            "namespace N 6; function N.h 6",
        ),
        ("tsx", "export const App = (p: P): X => <p>{p.a}</p>;", "function App 1"),
        (
            "java",
            "class Foo {\n static final int X = 1; int y;\n Foo() {}\n void m() {}\n interface I {}\n}\n"
            "record R(int a) {}",
            "class Foo 1; constant Foo.X 2; constructor Foo.Foo 3; method Foo.m 4; interface Foo.I 5; record R 7",
        ),
        (
            "c",
            "#define MAX 3\nint g = 3;\nstatic int *bar(void) { int k = 0; return 0; }\nint proto(int);\n"
            "struct P { int a; };\ntypedef struct { int x; } Q;\nenum E { A };",
            "macro MAX 1; variable g 2; function bar 3; declaration proto 4; struct P 5; type Q 6; enum E 7",
        ),
        (
            "c++",
            "namespace n {\nclass Foo {\n void a();\n int b() { return 1; }\n};\n}\nvoid n::Foo::a() {}\n"
            "template <class T> T q(T x) { return x; }\nusing X = int;",
            "namespace n 1; class n::Foo 2; method n::Foo::a 3; method n::Foo::b 4; function n::Foo::a 7; "
            "function q 8; type X 9",
        ),
        ("cuda", "__global__ void kernel(float *x) {}", "function kernel 1"),
        (
            "go",
            "package m\ntype S struct{ a int }\ntype I interface{ M() }\nfunc f() {}\nfunc (s *S) M() {}\n"
            "func (g G[T]) N() {}\nconst C = 1\nvar V = 2\n",
            "struct S 2; interface I 3; function f 4; method S.M 5; method G.N 6; constant C 7; constant V 8",
        ),
        (
            "rust",
            "pub struct S;\ntrait T { fn a(&self); }\nimpl T for S { fn m(&self) {} }\n"
            "impl<X> G<X> { const K: u8 = 1; }\nmod m { fn q() {} }\nmacro_rules! mm { () => {} }\n"
            "fn f() { fn local() {} }",
            "struct S 1; trait T 2; method T::a 2; method S::m 3; constant G::K 4; module m 5; function m::q 5; "
            "macro mm 6; function f 7",
        ),
        (
            "ruby",
            "module A\n class B < C\n X = 1\n def m; end\n def self.s; end\n end\nend\nclass A::D; end",
            "module A 1; class A::B 2; constant A::B::X 3; method A::B::m 4; method A::B::s 5; class A::D 8",
        ),
        (
            "c#",
            "namespace N;\nclass Foo<T> {\n public int P { get; set; }\n void M() {}\n}\n"
            "record R(int a);\ninterface I {}",
            "class Foo 2; property Foo.P 3; method Foo.M 4; record R 6; interface I 7",
        ),
        (
            "php",
            "<?php\nclass Foo { const X = 1; function m() {} }\ntrait T {}\nfunction f() {}\nconst C = 1;",
            "class Foo 2; constant Foo::X 2; method Foo::m 2; trait T 3; function f 4; constant C 5",
        ),
        ("bash", "foo() { bar; }\nfunction baz { x=1; }\nfoo 1\n", "function foo 1; function baz 2"),
        (
            "kotlin",
            "class Foo(val a: Int) {\n  fun bar(x: Int): Int = baz(x)\n}\nobject Single\ninterface Shape\n",
            "class Foo 1; function bar 2; object Single 4; interface Shape 5",
        ),
        (
            "swift",
            "struct P { var x: Int }\nfunc top() { run() }\nprotocol Q {}",
            "struct P 1; function top 2; protocol Q 3",
        ),
        ("perl", "package Foo::Bar;\nsub new { return run(1); }\n", "module Foo::Bar 1; function new 2"),
    ],
)
def test_languages(language: str, text: str, expected: str) -> None:
    assert "; ".join(names(text, language)) == expected


def test_every_grammar_loads_and_bears_broken_code() -> None:
    for language in GRAMMARS:
        assert has_definitions(language)
        definitions_of("class { ( \x00 \ud800 def fn func \u2028 }}}", language)


def test_a_language_without_grammar_has_none() -> None:
    assert not has_definitions("yaml")
    assert names("class: x\n", "yaml") == []
    assert names("class X: pass\n", "brainfuck") == []


def test_lines_count_newlines_only() -> None:
    assert names("x = '\x0c'\n# \u2028 \x0b\ndef after(): ...\n", "python")[-1] == "function after 3"
