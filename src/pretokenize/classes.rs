//! Unicode classes as one compact two-stage table, one byte a code point. Built on first use (a quarter of a millisecond) from the
//! tables of the regex engine, so the scanner and the reference can never know different Unicode versions.

use std::collections::BTreeMap;

use once_cell::race::OnceBox;

use regex_syntax::hir::{Class, HirKind};

/// The version of Unicode whose properties decide where text splits.
pub const UNICODE_VERSION: &str = "16.0.0";

/// Upper and title case letters: `\p{Lu}\p{Lt}`.
pub const UPPER: u8 = 1;
/// Lower case letters: `\p{Ll}`.
pub const LOWER: u8 = 2;
/// Letters without case: `\p{Lm}\p{Lo}`.
pub const UNCASED: u8 = 4;
/// Marks: `\p{M}`.
pub const MARK: u8 = 8;
/// Numbers: `\p{N}`.
pub const NUMBER: u8 = 16;
/// White space: `\s`.
pub const WHITE: u8 = 32;
/// Carriage return and line feed.
pub const NEWLINE: u8 = 64;
/// `\p{L}`.
pub const LETTER: u8 = UPPER | LOWER | UNCASED;

/// Code points of a page, and pages of Unicode.
const PAGE: usize = 256;
const PAGES: usize = 0x1100;

/// One byte of class bits for each code point.
pub struct ClassTable {
    /// Where in `pages` the page of each block of 256 code points begins. Long enough for every number of 21 bits.
    page_of: Vec<u16>,
    pages: Vec<[u8; PAGE]>,
}

impl ClassTable {
    /// The table, built once.
    pub fn get() -> &'static Self {
        static TABLE: OnceBox<ClassTable> = OnceBox::new();
        TABLE.get_or_init(|| Box::new(Self::build()))
    }

    /// The class bits of a code point; 0 beyond Unicode.
    #[inline(always)]
    #[must_use]
    pub fn class(&self, code_point: u32) -> u8 {
        let page = self.page_of[(code_point >> 8) as usize & 0x1FFF];
        self.pages[usize::from(page)][(code_point & 0xFF) as usize]
    }

    fn build() -> Self {
        let rows: [(&str, u8); 7] = [
            (r"[\p{Lu}\p{Lt}]", UPPER),
            (r"\p{Ll}", LOWER),
            (r"[\p{Lm}\p{Lo}]", UNCASED),
            (r"\p{M}", MARK),
            (r"\p{N}", NUMBER),
            (r"\s", WHITE),
            (r"[\r\n]", NEWLINE),
        ];
        // Most pages are of one class, Han or nothing, and need not be written: of each page the class of all of it, and by page
        // what is added to a part.
        let (mut whole, mut parts) = ([0u8; PAGES], BTreeMap::new());
        for (pattern, bit) in rows {
            for (first, last) in ranges(pattern) {
                for (page, whole) in whole.iter_mut().enumerate().take(last / PAGE + 1).skip(first / PAGE) {
                    let (start, end) = (first.max(page * PAGE) % PAGE, last.min(page * PAGE + PAGE - 1) % PAGE);
                    if (start, end) == (0, PAGE - 1) {
                        *whole |= bit;
                    } else {
                        let part: &mut [u8; PAGE] = parts.entry(page).or_insert([0; PAGE]);
                        part[start..=end].iter_mut().for_each(|class| *class |= bit);
                    }
                }
            }
        }
        // Beyond Unicode: the first page, which is all zero.
        let (mut pages, mut page_of) = (vec![[0; PAGE]], vec![0; 0x2000]);
        let mut known = BTreeMap::from([(0, 0)]);
        for (page, (page_of, &class)) in page_of.iter_mut().zip(&whole).enumerate() {
            // One more than all of Unicode at most.
            #[allow(clippy::cast_possible_truncation)]
            let next = pages.len() as u16;
            let part = parts.get(&page);
            *page_of = if part.is_some() { next } else { *known.entry(class).or_insert(next) };
            if *page_of == next {
                pages.push(part.unwrap_or(&[0; PAGE]).map(|part| part | class));
            }
        }
        Self { page_of, pages }
    }
}

/// The code point ranges of a class pattern.
fn ranges(pattern: &str) -> Vec<(usize, usize)> {
    let parsed = regex_syntax::Parser::new().parse(pattern);
    match parsed.as_ref().map(regex_syntax::hir::Hir::kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => {
            class.ranges().iter().map(|r| (r.start() as usize, r.end() as usize)).collect()
        }
        _ => Vec::new(),
    }
}
