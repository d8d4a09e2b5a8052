//! YAML as upstream writes it (sigs.k8s.io/yaml over go-yaml v2): block style, sorted keys, sequences not indented
//! under their key, lines folded behind column 80, strings quoted where they would read as something else.

mod scalar;

use serde_json::Value;

use scalar::Style;

/// Lines are folded at the first space behind this column.
const WIDTH: usize = 80;
/// Keys longer than this many bytes are written in the `? key` form.
const SIMPLE_KEY: usize = 128;

/// The document of a value.
pub(crate) fn to_string(value: &Value) -> String {
    to_string_within(value, usize::MAX).unwrap_or_default()
}

/// The document of a value, unless it is longer than `room`, in bytes.
pub(crate) fn to_string_within(value: &Value, room: usize) -> Option<String> {
    let mut emitter = Emitter {
        out: String::new(),
        room,
        column: 0,
        indent: 0,
        whitespace: true,
        indention: true,
        simple_key: false,
    };
    emitter.node(value);
    if !emitter.out.ends_with('\n') {
        emitter.out.push('\n');
    }
    (emitter.out.len() <= room).then_some(emitter.out)
}

/// libyaml's emitter: what it knows of the line it is on.
struct Emitter {
    out: String,
    /// Nothing is indented any more once the text is longer.
    room: usize,
    column: usize,
    indent: usize,
    /// The last character was a space or a break.
    whitespace: bool,
    /// Only indentation and indicators are on this line.
    indention: bool,
    /// A key is written that has to stay on its line.
    simple_key: bool,
}

impl Emitter {
    fn put(&mut self, character: char) {
        self.out.push(character);
        self.column += 1;
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    /// Goes to the column `indent`, on a new line unless this one holds only what leads there.
    fn write_indent(&mut self) {
        if self.out.len() > self.room {
            return;
        }
        if !self.indention || self.column > self.indent || (self.column == self.indent && !self.whitespace) {
            self.line_break();
        }
        while self.column < self.indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, text: &str, needs_whitespace: bool, is_indention: bool) {
        if needs_whitespace && !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(text);
        self.column += text.len();
        self.whitespace = false;
        self.indention &= is_indention;
    }

    fn node(&mut self, value: &Value) {
        match value {
            Value::Object(map) if map.is_empty() => self.plain_word("{}"),
            Value::Array(list) if list.is_empty() => self.plain_word("[]"),
            Value::Object(map) => {
                for (key, value) in map {
                    self.write_indent();
                    self.key(key);
                    self.nested(value, true);
                }
            }
            Value::Array(list) => {
                for value in list {
                    self.write_indent();
                    self.indicator("-", true, true);
                    self.nested(value, false);
                }
            }
            Value::String(text) => {
                self.indent += 2;
                self.scalar(text);
                self.indent -= 2;
            }
            Value::Null => self.plain_word("null"),
            Value::Bool(true) => self.plain_word("true"),
            Value::Bool(false) => self.plain_word("false"),
            Value::Number(number) => self.plain_word(&number.to_string()),
        }
    }

    /// A node one level down: mappings are indented, sequences are unless they are the value of a key.
    fn nested(&mut self, value: &Value, under_key: bool) {
        let deeper = match value {
            Value::Object(map) => !map.is_empty(),
            Value::Array(list) => !list.is_empty() && (!under_key || self.indention),
            _ => false,
        };
        if deeper {
            self.indent += 2;
        }
        self.node(value);
        if deeper {
            self.indent -= 2;
        }
    }

    fn key(&mut self, key: &str) {
        if key.len() <= SIMPLE_KEY && !key.contains('\n') {
            self.simple_key = true;
            self.scalar(key);
            self.simple_key = false;
            self.indicator(":", false, false);
        } else {
            self.indicator("?", true, true);
            self.indent += 2;
            self.scalar(key);
            self.indent -= 2;
            self.write_indent();
            self.indicator(":", true, true);
        }
    }

    fn plain_word(&mut self, word: &str) {
        if !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(word);
        self.column += word.len();
        self.whitespace = false;
        self.indention = false;
    }

    fn scalar(&mut self, text: &str) {
        match scalar::style(text, self.simple_key) {
            Style::Plain => self.plain(text),
            Style::SingleQuoted => self.single_quoted(text),
            Style::DoubleQuoted => self.double_quoted(text),
            Style::Literal => self.literal(text),
        }
    }

    fn plain(&mut self, text: &str) {
        if !self.whitespace {
            self.put(' ');
        }
        self.folded(text, |_, _, next| next != Some(' '), Self::put);
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str) {
        self.indicator("'", true, false);
        self.folded(
            text,
            |first, last, next| !first && !last && next != Some(' '),
            |emitter, character| {
                if character == '\'' {
                    emitter.put('\'');
                }
                emitter.put(character);
            },
        );
        self.indicator("'", false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// Writes characters; a single space behind the width becomes a line break where `may_fold` allows it.
    fn folded(
        &mut self,
        text: &str,
        may_fold: impl Fn(bool, bool, Option<char>) -> bool,
        put: impl Fn(&mut Self, char),
    ) {
        let mut spaces = false;
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(character) = characters.next() {
            let next = characters.peek().copied();
            if character == ' ' {
                let wide = self.column > WIDTH && !self.simple_key && !spaces;
                if wide && may_fold(first, next.is_none(), next) {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                put(self, character);
                self.indention = false;
                spaces = false;
            }
            first = false;
        }
    }

    fn double_quoted(&mut self, text: &str) {
        self.indicator("\"", true, false);
        let mut spaces = false;
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(character) = characters.next() {
            let next = characters.peek().copied();
            if character == ' ' {
                if self.column > WIDTH && !self.simple_key && !spaces && !first && next.is_some() {
                    self.write_indent();
                    if next == Some(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                if scalar::needs_escape(character) {
                    for escaped in scalar::escape(character).chars() {
                        self.put(escaped);
                    }
                } else {
                    self.put(character);
                }
                spaces = false;
            }
            first = false;
        }
        self.indicator("\"", false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", true, false);
        if text.starts_with([' ', '\n']) {
            self.put('2');
        }
        if !text.ends_with('\n') {
            self.put('-');
        } else if text.len() == 1 || text.ends_with("\n\n") {
            self.put('+');
        }
        self.line_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for character in text.chars() {
            if character == '\n' {
                self.line_break();
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                self.put(character);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_look_as_upstream_writes_them() {
        let value = json!({
            "data": {
                "bell": "\u{7}",
                "long": "aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccccccc \
                         dddddddddddddddddddddddd eeeeeeeeeeeeeeeee",
                "multi": "line 1\nline 2\n",
                "nl": "\n",
                "noeol": "line 1\nline 2",
                "on": "off",
                "quote": "it's \"q\"",
                "star": "*x",
                "tabs": "a\tb",
                "unicode": "é漢😀",
                "yes": "no",
            },
            "annotations": {
                "colon": "a: b", "date": "2020-01-01", "empty": "", "hash": "x #y", "lead": " space", "n": "null",
                "octal": "0o7", "tilde": "~", "c": "1e3", "z": "1", "b": "true",
            },
            "fields": {".": {}, "f:on": {}, "k:{\"name\":\"c\"}": {".": {}}},
            "list": [{"args": ["-a", "b c"], "image": "i"}, [1, 2], []],
            "none": null,
        });
        let expected = r#"annotations:
  b: "true"
  c: "1e3"
  colon: 'a: b'
  date: "2020-01-01"
  empty: ""
  hash: 'x #y'
  lead: ' space'
  "n": "null"
  octal: "0o7"
  tilde: "~"
  z: "1"
data:
  bell: "\a"
  long: aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccccccc dddddddddddddddddddddddd
    eeeeeeeeeeeeeeeee
  multi: |
    line 1
    line 2
  nl: |2+

  noeol: |-
    line 1
    line 2
  "on": "off"
  quote: it's "q"
  star: '*x'
  tabs: "a\tb"
  unicode: "é漢\U0001F600"
  "yes": "no"
fields:
  .: {}
  f:on: {}
  k:{"name":"c"}:
    .: {}
list:
- args:
  - -a
  - b c
  image: i
- - 1
  - 2
- []
none: null
"#;
        assert_eq!(to_string(&value), expected);
    }

    #[test]
    fn a_text_that_would_grow_beyond_its_room_is_given_up() {
        let mut value = json!("a a a a ".repeat(100_000));
        for _ in 0..1000 {
            value = json!([value]);
        }
        assert_eq!(to_string_within(&value, 1 << 20), None);
        assert_eq!(to_string_within(&json!({"a": 1}), 5).as_deref(), Some("a: 1\n"));
        assert_eq!(to_string_within(&json!({"a": 1}), 4), None);
    }

    #[test]
    fn a_long_quoted_text_is_folded_at_its_spaces() {
        let message = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal bool into Go \
                       struct field ObjectMeta.metadata.name of type string";
        let expected = "message: 'ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot\n  unmarshal \
                        bool into Go struct field ObjectMeta.metadata.name of type string'\n";
        assert_eq!(to_string(&json!({ "message": message })), expected);
    }
}
