//! From text to a tree, by cel-go's grammar, limits and words.

mod macros;

use std::sync::Arc;

use crate::ast::{Ast, Entry, Expr, Field, Id, Kind, Literal, operator};
use crate::lexer::{Token, TokenKind, is_reserved, tokens};
use crate::source::Issue;
use crate::unquote;

pub(crate) use macros::ACCUMULATOR;

/// As cel-go: how deep rules may stand in one another, and how high a tree of operators, choices, calls of members, selections
/// and indexes may be.
const MAX_DEPTH: usize = 250;

/// As cel-go: the longest expression, in characters.
const MAX_LENGTH: usize = 100_000;

/// As cel-go: how often the parser goes on after a syntax error.
const MAX_RECOVERIES: usize = 30;

/// What an operand begins with, as cel-go's parser lists it.
const OPERAND: &str =
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/// The tree of `text`, its macros expanded; or what is wrong with it.
pub fn parse(text: &str) -> Result<Ast, Vec<Issue>> {
    let length = text.chars().count();
    if length > MAX_LENGTH {
        let message = format!("expression code point size exceeds limit: size: {length}, limit {MAX_LENGTH}");
        return Err(vec![Issue { offset: None, message }]);
    }
    let mut issues = Vec::new();
    let tokens = tokens(text, &mut issues);
    let mut parser = Parser {
        tokens,
        at: 0,
        offsets: Vec::new(),
        issues,
        depths: [0; RULES],
        height: 0,
        recoveries: 0,
        stopped: false,
    };
    let root = parser.expression();
    let too_high = parser.height > MAX_DEPTH;
    parser.expect_end();
    if too_high && !parser.stopped {
        parser.issues.push(Issue { offset: None, message: "max recursion depth exceeded".to_owned() });
    }
    if parser.issues.is_empty() { Ok(Ast { root, offsets: parser.offsets }) } else { Err(parser.issues) }
}

/// The rules whose depth is limited.
#[derive(Clone, Copy)]
enum Rule {
    Expression,
    Relation,
    Sum,
    Member,
}

const RULES: usize = 4;

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    offsets: Vec<usize>,
    issues: Vec<Issue>,
    depths: [usize; RULES],
    /// How high the tree is of what was read last.
    height: usize,
    recoveries: usize,
    /// Whether reading has been given up: what follows is not looked at.
    stopped: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek_second(&self) -> Token<'a> {
        self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn take(&mut self, symbol: &str) -> Option<Token<'a>> {
        self.peek().is(symbol).then(|| self.next())
    }

    fn id(&mut self, offset: usize) -> Id {
        self.offsets.push(offset);
        self.offsets.len() as Id
    }

    fn node(&mut self, offset: usize, kind: Kind) -> Expr {
        Expr { id: self.id(offset), kind }
    }

    fn literal(&mut self, offset: usize, literal: Literal) -> Expr {
        self.node(offset, Kind::Literal(literal))
    }

    fn issue(&mut self, offset: usize, message: impl Into<String>) -> Expr {
        if !self.stopped {
            self.issues.push(Issue { offset: Some(offset), message: message.into() });
        }
        self.node(offset, Kind::Error)
    }

    fn syntax(&mut self, offset: usize, message: &str) -> Expr {
        let error = self.issue(offset, format!("Syntax error: {message}"));
        self.recoveries += 1;
        if self.recoveries > MAX_RECOVERIES {
            self.give_up(format!("error recovery attempt limit exceeded: {MAX_RECOVERIES}"));
        }
        error
    }

    /// Reads no further.
    fn give_up(&mut self, message: String) {
        if !self.stopped {
            self.issues.push(Issue { offset: None, message });
        }
        self.stopped = true;
        self.at = self.tokens.len() - 1;
    }

    /// One level deeper in `rule`; false if that is too deep, and nothing more is read.
    fn enter(&mut self, rule: Rule) -> bool {
        self.depths[rule as usize] += 1;
        if self.depths[rule as usize] > MAX_DEPTH {
            self.give_up(format!("expression recursion limit exceeded: {MAX_DEPTH}"));
            return false;
        }
        true
    }

    fn leave(&mut self, rule: Rule) {
        self.depths[rule as usize] -= 1;
    }

    /// Puts a tree on those that are `low` high and as high as the last: what is too high is not kept, as it is refused.
    fn pile(&mut self, expression: Expr, low: usize) -> Expr {
        self.height = low.max(self.height) + 1;
        if self.height > MAX_DEPTH { Expr { id: expression.id, kind: Kind::Error } } else { expression }
    }

    fn call(&mut self, offset: usize, function: &str, arguments: Vec<Expr>) -> Expr {
        self.node(offset, Kind::Call { function: function.into(), target: None, arguments })
    }

    fn expect_end(&mut self) {
        if self.stopped || self.peek().kind == TokenKind::End {
            return;
        }
        let junk = self.peek();
        let verb = if self.peek_second().kind == TokenKind::End { "extraneous" } else { "mismatched" };
        self.syntax(junk.offset, &format!("{verb} input '{}' expecting <EOF>", junk.text));
    }

    /// Takes a symbol that must stand here.
    fn expect(&mut self, symbol: &str) {
        if self.take(symbol).is_some() || self.stopped {
            return;
        }
        let found = self.peek();
        if self.peek_second().is(symbol) {
            self.syntax(found.offset, &format!("extraneous input '{}' expecting '{symbol}'", found.text));
            self.next();
            self.next();
        } else if found.kind == TokenKind::End || operator::binary(found.text).is_some() || found.is(")") {
            self.syntax(found.offset, &format!("missing '{symbol}' at '{}'", found.text));
        } else {
            self.syntax(found.offset, &format!("mismatched input '{}' expecting '{symbol}'", found.text));
        }
    }

    fn expression(&mut self) -> Expr {
        let expression = if self.enter(Rule::Expression) { self.conditional() } else { self.node(0, Kind::Error) };
        self.leave(Rule::Expression);
        expression
    }

    fn conditional(&mut self) -> Expr {
        let condition = self.logical(operator::OR);
        let Some(mark) = self.take("?") else { return condition };
        let mut low = self.height;
        let yes = self.logical(operator::OR);
        low = low.max(self.height);
        self.expect(":");
        let no = self.expression();
        let choice = self.call(mark.offset, operator::CONDITIONAL, vec![condition, yes, no]);
        self.pile(choice, low)
    }

    /// A chain of `||` or `&&`, made into a balanced tree as cel-go does.
    fn logical(&mut self, function: &'static str) -> Expr {
        let (symbol, or) = if function == operator::OR { ("||", true) } else { ("&&", false) };
        let term = |parser: &mut Self| if or { parser.logical(operator::AND) } else { parser.relation() };
        let mut terms = vec![Some(term(self))];
        let mut marks = Vec::new();
        let mut height = self.height;
        while let Some(mark) = self.take(symbol) {
            terms.push(Some(term(self)));
            height = height.max(self.height);
            marks.push(mark.offset);
        }
        self.height = height;
        if marks.is_empty() {
            return terms.swap_remove(0).unwrap_or(Expr { id: 0, kind: Kind::Error });
        }
        self.balanced(function, &mut terms, &marks, 0, marks.len() - 1)
    }

    fn balanced(
        &mut self,
        function: &str,
        terms: &mut [Option<Expr>],
        marks: &[usize],
        low: usize,
        high: usize,
    ) -> Expr {
        let middle = (low + high).div_ceil(2);
        let mut term = |at: usize| terms[at].take().unwrap_or(Expr { id: 0, kind: Kind::Error });
        let left = if middle == low { Some(term(middle)) } else { None };
        let right = if middle == high { Some(term(middle + 1)) } else { None };
        let left = left.unwrap_or_else(|| self.balanced(function, terms, marks, low, middle - 1));
        let right = right.unwrap_or_else(|| self.balanced(function, terms, marks, middle + 1, high));
        self.call(marks[middle], function, vec![left, right])
    }

    fn relation(&mut self) -> Expr {
        self.enter(Rule::Relation);
        let relation = self.chain(Rule::Relation, &["<", "<=", ">=", ">", "==", "!=", "in"], |parser| {
            parser.enter(Rule::Sum);
            let sum =
                parser.chain(Rule::Sum, &["+", "-"], |parser| parser.chain(Rule::Sum, &["*", "/", "%"], Self::unary));
            parser.leave(Rule::Sum);
            sum
        });
        self.leave(Rule::Relation);
        relation
    }

    /// Operators of one strength, from left to right: what stands right of one is one deeper in `rule`.
    fn chain(&mut self, rule: Rule, symbols: &[&str], operand: impl Fn(&mut Self) -> Expr) -> Expr {
        let mut left = operand(self);
        while self.peek().kind == TokenKind::Symbol && symbols.contains(&self.peek().text) {
            let low = self.height;
            let mark = self.next();
            let id = self.id(mark.offset);
            self.enter(rule);
            let right = operand(self);
            self.leave(rule);
            let function = operator::binary(mark.text).unwrap_or_default().into();
            let both = Expr { id, kind: Kind::Call { function, target: None, arguments: vec![left, right] } };
            left = self.pile(both, low);
        }
        left
    }

    fn unary(&mut self) -> Expr {
        for (symbol, function) in [("!", operator::NOT), ("-", operator::NEGATE)] {
            if !self.peek().is(symbol) {
                continue;
            }
            // The sign of a number is part of it.
            let number = matches!(self.peek_second().kind, TokenKind::Int | TokenKind::Float);
            if symbol == "-" && number {
                break;
            }
            let first = self.next();
            let mut marks = 1;
            while self.take(symbol).is_some() {
                marks += 1;
            }
            if marks % 2 == 0 {
                return self.member();
            }
            let id = self.id(first.offset);
            let operand = self.member();
            let kind = Kind::Call { function: function.into(), target: None, arguments: vec![operand] };
            return Expr { id, kind };
        }
        self.member()
    }

    fn member(&mut self) -> Expr {
        self.enter(Rule::Member);
        let mut operand = self.primary();
        while self.peek().is(".") || self.peek().is("[") {
            let low = self.height;
            self.height = 0;
            let mark = self.next();
            let optional = self.take("?").is_some();
            operand = if mark.is("[") {
                let id = self.id(mark.offset);
                let index = self.expression();
                self.expect("]");
                let function = if optional { operator::OPTIONAL_INDEX } else { operator::INDEX };
                Expr {
                    id,
                    kind: Kind::Call { function: function.into(), target: None, arguments: vec![operand, index] },
                }
            } else {
                self.selected(operand, mark, optional)
            };
            operand = self.pile(operand, low);
        }
        self.leave(Rule::Member);
        operand
    }

    fn selected(&mut self, operand: Expr, dot: Token<'a>, optional: bool) -> Expr {
        let name = self.peek();
        if !matches!(name.kind, TokenKind::Identifier | TokenKind::Escaped) {
            let seen = if name.kind == TokenKind::End { "" } else { name.text };
            if self.peek().kind != TokenKind::End {
                self.next();
            }
            let at = if name.kind == TokenKind::End { dot.offset + 1 } else { name.offset };
            if !optional && is_qualified_name(&operand) {
                // Upstream's parser takes names for a message's type as long as it can.
                let seen = if name.kind == TokenKind::End { "<EOF>" } else { seen };
                return self.syntax(name.offset, &format!("mismatched input '{seen}' expecting IDENTIFIER"));
            }
            return self.syntax(at, &format!("no viable alternative at input '.{seen}'"));
        }
        self.next();
        if name.kind == TokenKind::Escaped {
            return self.issue(name.offset, "unsupported syntax: '`'");
        }
        if optional {
            let field = self.literal(name.offset, Literal::String(name.text.into()));
            return self.call(dot.offset, operator::OPTIONAL_SELECT, vec![operand, field]);
        }
        match self.take("(") {
            Some(open) => {
                let id = self.id(open.offset);
                let arguments = self.arguments();
                self.function(id, name.text, Some(operand), arguments)
            }
            None => {
                let kind = Kind::Select { operand: Box::new(operand), field: name.text.into(), test: false };
                self.node(dot.offset, kind)
            }
        }
    }

    /// The arguments after an opening bracket, up to and with the closing one.
    fn arguments(&mut self) -> Vec<Expr> {
        let mut arguments = Vec::new();
        if self.take(")").is_some() {
            self.height = 0;
            return arguments;
        }
        let mut height = 0;
        loop {
            arguments.push(self.expression());
            height = height.max(self.height);
            if self.take(",").is_none() {
                self.expect(")");
                self.height = height;
                return arguments;
            }
        }
    }

    /// A call, unless it is a macro.
    fn function(&mut self, id: Id, name: &str, target: Option<Expr>, arguments: Vec<Expr>) -> Expr {
        // What has an error in it is not looked into.
        if !self.issues.is_empty() && arguments.iter().any(|argument| matches!(argument.kind, Kind::Error)) {
            return Expr { id, kind: Kind::Error };
        }
        match self.expand(id, name, target, arguments) {
            Ok(expanded) => expanded,
            Err((target, arguments)) => {
                Expr { id, kind: Kind::Call { function: name.into(), target: target.map(Box::new), arguments } }
            }
        }
    }

    fn primary(&mut self) -> Expr {
        let token = self.peek();
        self.height = 0;
        match token.kind {
            TokenKind::Symbol => self.symbol(token),
            TokenKind::Identifier => {
                self.next();
                self.named(token, None)
            }
            TokenKind::Int | TokenKind::Uint | TokenKind::Float => {
                self.next();
                self.number(token, token.offset, "")
            }
            TokenKind::String => {
                self.next();
                match unquote::string(token.text) {
                    Ok(text) => self.literal(token.offset, Literal::String(text.into())),
                    Err(why) => self.issue(token.offset, why),
                }
            }
            TokenKind::Bytes => {
                self.next();
                match unquote::bytes(&token.text[1..]) {
                    Ok(bytes) => self.literal(token.offset, Literal::Bytes(bytes.into())),
                    Err(why) => self.issue(token.offset, why),
                }
            }
            TokenKind::Escaped | TokenKind::End => self.no_operand(token),
        }
    }

    fn symbol(&mut self, token: Token<'a>) -> Expr {
        match token.text {
            "true" | "false" => {
                self.next();
                self.literal(token.offset, Literal::Bool(token.text == "true"))
            }
            "null" => {
                self.next();
                self.literal(token.offset, Literal::Null)
            }
            "(" => {
                self.next();
                let inner = self.expression();
                self.expect(")");
                inner
            }
            "[" => {
                self.next();
                self.list(token)
            }
            "{" => {
                self.next();
                self.map(token)
            }
            "-" if matches!(self.peek_second().kind, TokenKind::Int | TokenKind::Float) => {
                self.next();
                let number = self.next();
                self.number(number, token.offset, "-")
            }
            "." if self.peek_second().kind == TokenKind::Identifier => {
                self.next();
                let name = self.next();
                self.named(name, Some(token))
            }
            _ => self.no_operand(token),
        }
    }

    /// What stands where an operand should: passed over if an operand follows.
    fn no_operand(&mut self, token: Token<'a>) -> Expr {
        let after = self.peek_second();
        let begins = match after.kind {
            TokenKind::Symbol => matches!(after.text, "[" | "{" | "(" | "." | "-" | "!" | "true" | "false" | "null"),
            TokenKind::Escaped | TokenKind::End => false,
            _ => true,
        };
        if token.kind != TokenKind::End && begins && !self.stopped {
            self.syntax(token.offset, &format!("extraneous input '{}' expecting {OPERAND}", token.text));
            self.next();
            return self.primary();
        }
        self.syntax(token.offset, &format!("mismatched input '{}' expecting {OPERAND}", token.text))
    }

    fn number(&mut self, token: Token<'a>, offset: usize, sign: &str) -> Expr {
        let digits = token.text.trim_end_matches(['u', 'U']);
        let (digits, radix) = digits.strip_prefix("0x").map_or((digits, 10), |hex| (hex, 16));
        let literal = match token.kind {
            TokenKind::Int => i64::from_str_radix(&format!("{sign}{digits}"), radix).ok().map(Literal::Int),
            TokenKind::Uint => u64::from_str_radix(digits, radix).ok().map(Literal::Uint),
            _ => format!("{sign}{}", token.text).parse().ok().filter(|f: &f64| f.is_finite()).map(Literal::Double),
        };
        match (literal, token.kind) {
            (Some(literal), _) => self.literal(offset, literal),
            (None, TokenKind::Int) => self.issue(offset, "invalid int literal"),
            (None, TokenKind::Uint) => self.issue(offset, "invalid uint literal"),
            (None, _) => self.issue(offset, "invalid double literal"),
        }
    }

    /// A variable, a call, or a message literal.
    fn named(&mut self, name: Token<'a>, dot: Option<Token<'a>>) -> Expr {
        let full: Arc<str> = if dot.is_some() { format!(".{}", name.text).into() } else { name.text.into() };
        if let Some(message) = self.message_name(&full) {
            return self.message(message);
        }
        if is_reserved(name.text) {
            let error =
                self.issue(dot.map_or(name.offset, |dot| dot.offset), format!("reserved identifier: {}", name.text));
            if self.take("(").is_some() {
                self.arguments();
            }
            return error;
        }
        match self.take("(") {
            Some(open) => {
                let id = self.id(open.offset);
                let arguments = self.arguments();
                self.function(id, &full, None, arguments)
            }
            None => self.node(name.offset, Kind::Ident(full)),
        }
    }

    /// The name of a message literal, `a.b.C{`, whose brace comes next; nothing is taken if it is none.
    fn message_name(&mut self, first: &str) -> Option<Arc<str>> {
        let mut name = first.to_owned();
        let mut at = self.at;
        loop {
            let [token, after] = [at, at + 1].map(|at| self.tokens.get(at));
            match (token, after) {
                (Some(brace), _) if brace.is("{") => {
                    self.at = at;
                    return Some(name.into());
                }
                (Some(dot), Some(next)) if dot.is(".") && next.kind == TokenKind::Identifier => {
                    name.push('.');
                    name.push_str(next.text);
                    at += 2;
                }
                _ => return None,
            }
        }
    }

    fn message(&mut self, name: Arc<str>) -> Expr {
        let open = self.next();
        let id = self.id(open.offset);
        let mut fields = Vec::new();
        let mut height = 0;
        while !self.peek().is("}") && !self.stopped {
            self.take("?");
            let field = self.peek();
            if field.kind != TokenKind::Identifier {
                self.syntax(field.offset, &format!("mismatched input '{}' expecting IDENTIFIER", field.text));
                break;
            }
            self.next();
            self.expect(":");
            let value = self.expression();
            height = height.max(self.height);
            fields.push(Field { value });
            if self.take(",").is_none() {
                break;
            }
        }
        self.expect("}");
        self.height = height;
        Expr { id, kind: Kind::Struct { name, fields } }
    }

    fn list(&mut self, open: Token<'a>) -> Expr {
        let id = self.id(open.offset);
        let (mut elements, mut optional) = (Vec::new(), Vec::new());
        let mut height = 0;
        while !self.peek().is("]") && !self.stopped {
            if self.take(",").is_some() {
                break;
            }
            if self.take("?").is_some() {
                optional.push(elements.len());
            }
            elements.push(self.expression());
            height = height.max(self.height);
            if self.take(",").is_none() {
                break;
            }
        }
        self.expect("]");
        self.height = height;
        Expr { id, kind: Kind::List { elements, optional } }
    }

    fn map(&mut self, open: Token<'a>) -> Expr {
        let id = self.id(open.offset);
        let mut entries = Vec::new();
        let mut height = 0;
        while !self.peek().is("}") && !self.stopped {
            if self.peek().kind == TokenKind::End {
                let list =
                    OPERAND.replace("'{', '('", "'{', '}', '('").replace("'.', '-', '!'", "'.', ',', '-', '!', '?'");
                return self.syntax(self.peek().offset, &format!("mismatched input '<EOF>' expecting {list}"));
            }
            if self.take(",").is_some() {
                break;
            }
            let optional = self.take("?").is_some();
            let key = self.expression();
            height = height.max(self.height);
            let colon = self.peek().offset;
            self.expect(":");
            self.id(colon);
            let value = self.expression();
            height = height.max(self.height);
            entries.push(Entry { key, value, optional });
            if self.take(",").is_none() {
                break;
            }
        }
        self.expect("}");
        self.height = height;
        Expr { id, kind: Kind::Map(entries) }
    }
}

/// `a.b.c`
fn is_qualified_name(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Ident(_) => true,
        Kind::Select { operand, test: false, .. } => is_qualified_name(operand),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
