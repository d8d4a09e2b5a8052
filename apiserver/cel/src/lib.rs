//! The Common Expression Language as Kubernetes 1.36 speaks it: cel-go's grammar, checker, functions and costs, and
//! the libraries that Kubernetes adds, over JSON values seen through a schema.
//!
//! [`DeclType::of_schema`] declares the variables, [`Program::compile`] makes an expression ready,
//! [`Program::test`] and [`Program::text`] evaluate it. Nothing is copied out of the objects looked at.

mod ast;
mod checker;
mod cost;
mod decl_type;
mod declarations;
mod estimate;
mod functions;
mod interpreter;
mod lexer;
mod literals;
mod parser;
pub mod pattern;
mod places;
mod plan;
mod program;
mod source;
mod types;
mod unquote;
mod value;

pub use decl_type::DeclType;
pub use interpreter::Error;
pub use program::{CompileError, Outcome, PER_CALL_LIMIT, Program, Variables, Wanted};
