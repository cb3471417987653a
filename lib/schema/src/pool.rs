use streamalert_value::{Doc, JsonError, Tree};

/// Documents that are kept for reuse from one unit to the next.
const KEPT_DOCS_MAX: usize = 256;

/// Documents that were made out of a unit: embedded JSON, rows of CSV.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    docs: Vec<Pooled>,
    used: usize,
}

#[derive(Debug, Default)]
struct Pooled {
    source: String,
    doc: Doc,
}

/// Where a document is: the unit itself, or made out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocId {
    Unit,
    Made(u32),
}

impl Pool {
    /// Forgets all documents but keeps their buffers, up to `bytes_max` each in number and size.
    pub(crate) fn reset(&mut self, bytes_max: usize) {
        if self.used == 0 {
            return;
        }
        self.docs.truncate(KEPT_DOCS_MAX);
        for pooled in self.docs.iter_mut().take(self.used) {
            pooled.doc.shrink_to(bytes_max / KEPT_DOCS_MAX);
            if pooled.source.capacity() > bytes_max / KEPT_DOCS_MAX {
                pooled.source = String::new();
            }
        }
        self.used = 0;
    }

    /// Parses a document whose text `write` appends to an empty buffer.
    pub(crate) fn parse(&mut self, write: impl FnOnce(&mut String)) -> Result<DocId, JsonError> {
        if self.used == self.docs.len() {
            self.docs.push(Pooled::default());
        }
        let pooled = &mut self.docs[self.used];
        pooled.source.clear();
        write(&mut pooled.source);
        pooled.doc.parse(&pooled.source)?;
        self.used += 1;
        Ok(DocId::Made((self.used - 1) as u32))
    }

    /// As [`parse`](Self::parse), for text that is JSON because we write it.
    pub(crate) fn parse_bytes(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<DocId, JsonError> {
        self.parse(|source| {
            let mut bytes = std::mem::take(source).into_bytes();
            write(&mut bytes);
            *source = String::from_utf8(bytes).unwrap_or_default();
        })
    }

    /// A document; that of the unit is `unit`.
    pub(crate) fn tree<'a>(&'a self, id: DocId, unit: Option<Tree<'a>>) -> Option<Tree<'a>> {
        match id {
            DocId::Unit => unit,
            DocId::Made(at) => self
                .docs
                .get(at as usize)
                .map(|pooled| pooled.doc.tree(&pooled.source)),
        }
    }
}
