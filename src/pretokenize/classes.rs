//! Unicode classes as one compact two-stage table, one byte a code point. Built on first use (about 1 ms) from the
//! tables of the regex engine, so the scanner and the reference can never know different Unicode versions.

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

const PAGE: usize = 256;

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
        let mut flat = vec![0u8; 0x11_0000];
        let rows: [(&str, u8); 7] = [
            (r"[\p{Lu}\p{Lt}]", UPPER),
            (r"\p{Ll}", LOWER),
            (r"[\p{Lm}\p{Lo}]", UNCASED),
            (r"\p{M}", MARK),
            (r"\p{N}", NUMBER),
            (r"\s", WHITE),
            (r"[\r\n]", NEWLINE),
        ];
        for (pattern, bit) in rows {
            for (first, last) in ranges(pattern) {
                for class in &mut flat[first as usize..=last as usize] {
                    *class |= bit;
                }
            }
        }
        let mut pages = vec![[0u8; PAGE]];
        let mut page_of = Vec::with_capacity(0x2000);
        for page in flat.as_chunks::<PAGE>().0 {
            let known = pages.iter().position(|p| p == page).unwrap_or_else(|| {
                pages.push(*page);
                pages.len() - 1
            });
            // 0x1100 pages at most.
            #[allow(clippy::cast_possible_truncation)]
            page_of.push(known as u16);
        }
        // Beyond Unicode: the first page, which is all zero.
        page_of.resize(0x2000, 0);
        Self { page_of, pages }
    }
}

/// The code point ranges of a class pattern.
fn ranges(pattern: &str) -> Vec<(u32, u32)> {
    let parsed = regex_syntax::Parser::new().parse(pattern);
    match parsed.as_ref().map(regex_syntax::hir::Hir::kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => {
            class.ranges().iter().map(|r| (u32::from(r.start()), u32::from(r.end()))).collect()
        }
        _ => Vec::new(),
    }
}
