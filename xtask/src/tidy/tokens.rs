//! Rust source as a flat list of tokens with their lines: what most rules look at. Comments are gone, and so is test code.
//!
//! Tokens rather than a syntax tree, because they see into macros. A file that doesn't parse has no tokens; the compiler
//! complains about it.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Ident(String),
    Punct(char),
    /// As written, quotes included.
    Literal(String),
    Open(Delimiter),
    Close(Delimiter),
}

#[derive(Debug, Clone)]
pub struct Token {
    pub kind: Kind,
    /// From 1.
    pub line: usize,
}

impl Token {
    pub fn ident(&self) -> Option<&str> {
        match &self.kind {
            Kind::Ident(name) => Some(name),
            _ => None,
        }
    }

    pub fn is(&self, punct: char) -> bool {
        self.kind == Kind::Punct(punct)
    }

    /// The text of a string literal.
    pub fn string(&self) -> Option<&str> {
        match &self.kind {
            Kind::Literal(text) => text.strip_prefix('"')?.strip_suffix('"'),
            _ => None,
        }
    }
}

/// All tokens but those of items under `#[cfg(test)]`.
pub fn product(text: &str) -> Vec<Token> {
    flatten(text, true)
}

pub fn all(text: &str) -> Vec<Token> {
    flatten(text, false)
}

fn flatten(text: &str, skip_tests: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    if let Ok(stream) = text.parse::<TokenStream>() {
        walk(stream, skip_tests, &mut tokens);
    }
    tokens
}

fn walk(stream: TokenStream, skip_tests: bool, out: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Punct(punct)
                if punct.as_char() == '#' && skip_tests && trees.peek().is_some_and(is_test_attribute) =>
            {
                skip_item(&mut trees);
            }
            TokenTree::Punct(punct) => out.push(Token { kind: Kind::Punct(punct.as_char()), line }),
            TokenTree::Ident(ident) => out.push(Token { kind: Kind::Ident(ident.to_string()), line }),
            TokenTree::Literal(literal) => out.push(Token { kind: Kind::Literal(literal.to_string()), line }),
            TokenTree::Group(group) => {
                let delimiter = group.delimiter();
                out.push(Token { kind: Kind::Open(delimiter), line });
                walk(group.stream(), skip_tests, out);
                out.push(Token { kind: Kind::Close(delimiter), line: group.span_close().start().line });
            }
        }
    }
}

fn is_test_attribute(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else { return false };
    let text: String = group.stream().to_string().split_whitespace().collect();
    text == "cfg(test)"
}

/// Up to the end of the item that follows: its block, or its semicolon.
fn skip_item(trees: &mut impl Iterator<Item = TokenTree>) {
    for tree in trees {
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_and_comments_are_left_out() {
        let text = "// wasmtime\nuse a::b;\n#[cfg(test)]\nmod tests { use c::d; }\nfn e() { f!(g) }";
        let idents: Vec<String> = product(text).iter().filter_map(|token| token.ident().map(str::to_owned)).collect();
        assert_eq!(idents, ["use", "a", "b", "fn", "e", "f", "g"]);
        assert!(all(text).iter().any(|token| token.ident() == Some("c")));
    }
}
