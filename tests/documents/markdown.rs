//! Random markdown whose visible words can be told from its markup without a parser.

use roundtable_fakes::Rng;

/// Where a numbered word comes to stand.
const WORD: char = '§';
/// The longest document, in characters.
const LONGEST: u64 = 30_000;

/// In other scripts, of several code points, of two UTF-16 units.
const FOREIGN: &[&str] = &[
    "漢字仮名。漢字",
    "쏘카",
    "שלום עולם",
    "مرحبا",
    "हिन्दी",
    "Ünïcödé",
    "e\u{301}\u{302}x",
    "z\u{333}\u{33f}\u{30a}\u{336}",
    "\u{301}",
    "👩\u{200d}🚀",
    "👨\u{200d}👩\u{200d}👧\u{200d}👦🏽",
    "🇩🇪🇫",
    "❤\u{fe0f}\u{200d}🔥",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
];

/// What a server changes, or an app shows as nothing.
const CONTROL: &[&str] = &[
    "\u{0}\u{7}\u{1b}",
    "\t",
    "\r\n",
    "\u{202e}abc\u{202c}",
    "\u{2028}",
    "\u{200b}",
    "\u{a0}\u{3000}",
    "\u{7f}\u{85}",
    "\u{feff}",
];

/// Inline markup that is complete.
const MARKED: &[&str] = &[
    "**§ §**",
    "*§*",
    "***§***",
    "__§__",
    "~~§ §~~",
    "`§ §`",
    "`` § ` § ``",
    "` `",
    "**bold *and § `code` ~~§~~***",
    "[§](https://example.org/a?b=c#d)",
    "[§ **§**](https://example.org \"title\")",
    "[§](docs/§.md)",
    "[§](tg://user?id=5)",
    "[](https://example.org/§)",
    "[§][named]",
    "![§](picture.png)",
    "<https://example.org/§>",
    "<ann@example.org>",
    "https://example.org/@ann/§",
    "@someone",
    "(@someone_else)",
    "/start@some_bot",
    "#tag",
];

/// Signs that may or may not be markup.
const SIGNS: &[&str] = &["=", "+1", "--", "50%", "$5", "^", "{x}", ":-", "...", "a|b", "1.", "~", "#"];

/// Inline markup that never ends, or never began.
const BROKEN: &[&str] = &[
    "**",
    "*",
    "__",
    "~~",
    "`",
    "§ ```",
    "[§",
    "[§](",
    "]",
    "![",
    "<b class=\"x\">",
    "</b>",
    "<!--",
    "|",
    "\\",
    "&amp;",
    "&",
];

/// What follows a fence.
const LANGUAGES: &[&str] = &[
    "",
    "rust",
    "c++",
    "objective-c",
    "python title=\"x.py\" {1,3}",
    "{.haskell .numberLines}",
    "  js  ",
    "sh$",
    "a_language_with_a_name_that_is_much_longer_than_any_language_has_ever_had_or_will_have",
];

/// Makes one document.
struct Writer {
    rng: Rng,
    words: usize,
}

impl Writer {
    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    /// `least` to `most` pieces, joined.
    fn some(
        &mut self,
        least: usize,
        most: usize,
        join: &str,
        mut piece: impl FnMut(&mut Self) -> String,
    ) -> String {
        let count = least + self.below(most + 1 - least);
        (0..count).map(|_| piece(self)).collect::<Vec<_>>().join(join)
    }

    /// One of the texts, its words numbered.
    fn pick(&mut self, texts: &[&str]) -> String {
        let mut pieces = texts[self.below(texts.len())].split(WORD);
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            text.push_str(&format!("q{}z{piece}", self.words));
            self.words += 1;
        }
        text
    }

    fn letters(&mut self, most: usize) -> String {
        self.some(1, most, "", |writer| char::from(b'a' + writer.below(16) as u8).to_string())
    }

    fn word(&mut self) -> String {
        match self.below(1_000) {
            0 => self.letters(7).repeat(1_000),
            1..10 => self.letters(9).repeat(20),
            10..30 => self.pick(CONTROL),
            30..50 => self.pick(BROKEN),
            50..60 => self.pick(SIGNS),
            60..110 => self.pick(FOREIGN),
            110..220 => self.pick(MARKED),
            220..500 => self.letters(12) + &self.pick(&["", "", "", ".", ",", "!", "?", ";"]),
            _ => self.pick(&["§"]),
        }
    }

    fn line(&mut self, most: usize) -> String {
        let gaps = [" ", " ", " ", " ", " ", " ", " ", " ", " ", "", "  ", ". "];
        let line = self.some(1, most, "", |writer| writer.word() + gaps[writer.below(gaps.len())]);
        // Side by side they would open a fence, whose first word is its language, and end a link that was left open,
        // whose address is no text.
        line.replace("~~~~", "~~ ~~").replace("\\[", "\\ [")
    }

    fn lines(&mut self, most: usize, join: &str) -> String {
        self.some(1, most, join, |writer| writer.line(12))
    }

    fn list(&mut self) -> String {
        self.some(1, 8, "\n", |writer| {
            let indent = " ".repeat(writer.below(5) * (2 + writer.below(3)));
            let bullet = writer.pick(&["- ", "* ", "+ ", "1. ", "7) ", "- [x] ", "- [ ] "]);
            indent + &bullet + &writer.line(8)
        })
    }

    /// A table, perhaps with rows that are too short or too long.
    fn table(&mut self) -> String {
        let columns = 1 + self.below(5);
        let row = |writer: &mut Self, least, most| {
            let cells = writer.some(least, most, " | ", |writer| writer.line(4));
            format!("| {} |\n", cells.replace(['\n', '\r'], " "))
        };
        let mut table = row(self, columns, columns) + "|" + &"---|:-:|--:|:--|---|"[..4 * columns] + "\n";
        for _ in 0..self.below(6) {
            table += &row(self, 1, columns + 2);
        }
        table
    }

    fn code(&mut self) -> String {
        let fence = self.pick(&["```", "~~~", "`````"]);
        let language = self.pick(LANGUAGES);
        let text = self.some(0, 12, "", |writer| {
            writer.pick(&["", "", "    ", "        ", "\t", "\n"]) + &writer.line(8) + "\n"
        });
        let end = if self.below(10) == 0 { "" } else { &fence };
        format!("{fence}{language}\n{text}{end}")
    }

    fn block(&mut self) -> String {
        match self.below(27) {
            0 => "---".to_owned(),
            1 => "[named]: https://example.org/named 'a title'".to_owned(),
            2 => format!("<div>\n{}\n</div>", self.lines(3, "  \n")),
            3 => format!("    {}", self.lines(3, "\n    ")),
            4 => format!("> {}", self.lines(3, "\n> > ")),
            5..=6 => format!("> {}", self.lines(4, "\n> ")),
            7 => format!("{}\n===", self.line(6)),
            8..=9 => format!("{} {}", "#".repeat(1 + self.below(6)), self.line(8)),
            10..=12 => self.code(),
            13..=14 => self.table(),
            15..=18 => self.list(),
            _ => self.lines(5, "\n"),
        }
    }
}

/// Document `number` of `seed`, 1 to 30,000 characters long; short ones are as likely as long ones.
pub fn document(seed: u64, number: u64) -> String {
    let mut writer = Writer { rng: Rng::seeded(seed ^ number.rotate_left(32)), words: 0 };
    let magnitude = 1 + writer.below(LONGEST.ilog2() as usize + 1);
    let length = 1 + writer.below(LONGEST.min(1 << magnitude) as usize);
    let mut text = String::new();
    while text.chars().count() < length {
        text += &writer.block();
        text += &writer.pick(&["\n\n", "\n\n", "\n\n", "\n", "\n\n\n\n", "\r\n\r\n"]);
    }
    text.chars().take(length).collect()
}

/// What a reader must see of a document, in order: its numbered words, and every letter and picture that
/// is not ASCII. None of them is ever part of markup here, and no markup is cut or reordered into one.
pub fn visible(text: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if !c.is_ascii() && (c.is_alphabetic() || c >= '\u{1f000}') {
            seen.push(c.to_string());
        }
        if c == 'q' {
            let mut word = String::from(c);
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                word.push(digit);
            }
            if word.len() > 1 && rest.next_if_eq(&'z').is_some() {
                seen.push(word);
            }
        }
    }
    seen
}
