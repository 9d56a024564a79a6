//! Walks from a name outwards along what is read from it and called: `app` in `app.route("/x").get(show)`.

use oxc::ast::AstKind;
use oxc::ast::ast::{CallExpression, Expression, IdentifierReference};
use oxc::semantic::{NodeId, Semantic};
use oxc::span::{GetSpan as _, Span};

/// More links than anybody writes by hand.
const LONGEST: usize = 64;

/// What happens to a value where it stands.
#[derive(Default)]
pub(super) struct Fate<'a> {
    /// Members read before the first call.
    pub members: Vec<&'a str>,
    /// The result, the member at the end of `members`, is called or constructed.
    pub called: bool,
    /// It, or a member of it, is assigned to.
    pub written: bool,
    /// It only stands behind `typeof`.
    pub typeof_only: bool,
}

/// What happens to the expression `node`, whose text is at `span`.
pub(super) fn fate<'a>(semantic: &Semantic<'a>, node: NodeId, span: Span) -> Fate<'a> {
    let mut fate = Fate::default();
    let (mut node, mut span) = (node, span);
    let nodes = semantic.nodes();
    for _ in 0..LONGEST {
        let parent = nodes.parent_id(node);
        if parent == node {
            break;
        }
        match nodes.kind(parent) {
            AstKind::StaticMemberExpression(member) if member.object.span() == span => {
                fate.members.push(member.property.name.as_str());
            }
            AstKind::ComputedMemberExpression(member) if member.object.span() == span => {
                let Expression::StringLiteral(key) = &member.expression else {
                    fate.members.push("[]");
                    break;
                };
                fate.members.push(key.value.as_str());
            }
            AstKind::CallExpression(call) if call.callee.span() == span => {
                fate.called = true;
                break;
            }
            AstKind::NewExpression(new) if new.callee.span() == span => {
                fate.called = true;
                break;
            }
            AstKind::TaggedTemplateExpression(tagged) if tagged.tag.span() == span => {
                fate.called = true;
                break;
            }
            AstKind::AssignmentExpression(assignment) => {
                fate.written = assignment.left.span() == span;
                break;
            }
            AstKind::UpdateExpression(_) => {
                fate.written = true;
                break;
            }
            AstKind::UnaryExpression(unary) => {
                fate.typeof_only = unary.operator.is_typeof();
                fate.written = unary.operator.is_delete();
                break;
            }
            AstKind::ParenthesizedExpression(_)
            | AstKind::ChainExpression(_)
            | AstKind::TSNonNullExpression(_)
            | AstKind::TSAsExpression(_)
            | AstKind::TSSatisfiesExpression(_)
            | AstKind::AwaitExpression(_) => {}
            _ => break,
        }
        span = nodes.kind(parent).span();
        node = parent;
    }
    fate
}

/// An expression seen from its innermost name.
pub(super) struct Chain<'a, 'b> {
    pub root: Root<'a, 'b>,
    /// From the root outwards, up to the first call.
    pub members: Vec<&'a str>,
    /// Somewhere on the way it is called or constructed.
    pub called: bool,
}

pub(super) enum Root<'a, 'b> {
    Name(&'b IdentifierReference<'a>),
    /// `require("…")`, by the place where it begins.
    Require(u32),
    /// `import("…")`, by the place where it begins.
    Import(u32),
}

/// The innermost name of a chain of members and calls, if there is one.
pub(super) fn chain<'a, 'b>(expression: &'b Expression<'a>) -> Option<Chain<'a, 'b>> {
    let mut outwards = Vec::new();
    let mut called = false;
    let mut at = expression;
    for _ in 0..LONGEST {
        at = at.get_inner_expression();
        match at {
            Expression::Identifier(name) => return Some(finish(Root::Name(name), outwards, called)),
            Expression::StaticMemberExpression(member) => {
                outwards.push(member.property.name.as_str());
                at = &member.object;
            }
            Expression::ComputedMemberExpression(member) => {
                outwards.push(match &member.expression {
                    Expression::StringLiteral(key) => key.value.as_str(),
                    _ => "[]",
                });
                at = &member.object;
            }
            Expression::CallExpression(call) if is_require(call) => {
                return Some(finish(Root::Require(call.span.start), outwards, called));
            }
            Expression::CallExpression(call) => {
                // What is read from the result says nothing about the export itself.
                outwards.clear();
                called = true;
                at = &call.callee;
            }
            Expression::NewExpression(new) => {
                outwards.clear();
                called = true;
                at = &new.callee;
            }
            Expression::ImportExpression(import) => {
                return Some(finish(Root::Import(import.span.start), outwards, called));
            }
            Expression::AwaitExpression(wait) => at = &wait.argument,
            Expression::ChainExpression(inner) => match &inner.expression {
                oxc::ast::ast::ChainElement::CallExpression(call) => {
                    outwards.clear();
                    called = true;
                    at = &call.callee;
                }
                oxc::ast::ast::ChainElement::StaticMemberExpression(member) => {
                    outwards.push(member.property.name.as_str());
                    at = &member.object;
                }
                _ => return None,
            },
            _ => return None,
        }
    }
    None
}

fn finish<'a, 'b>(root: Root<'a, 'b>, mut outwards: Vec<&'a str>, called: bool) -> Chain<'a, 'b> {
    outwards.reverse();
    Chain { root, members: outwards, called }
}

/// A call of something named `require` with one argument; that no scope declares the name is for the caller to see.
pub(super) fn is_require(call: &CallExpression<'_>) -> bool {
    call.arguments.len() == 1 && matches!(&call.callee, Expression::Identifier(name) if name.name == "require")
}
