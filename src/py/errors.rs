//! Rust errors -> the exceptions of `bpetok.errors`.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::error::Error;

pyo3::import_exception!(bpetok.errors, VocabError);
pyo3::import_exception!(bpetok.errors, PatternError);
pyo3::import_exception!(bpetok.errors, SpecialTokenError);
pyo3::import_exception!(bpetok.errors, TokenIdError);
pyo3::import_exception!(bpetok.errors, FormatError);
pyo3::import_exception!(bpetok.errors, TextError);
pyo3::import_exception!(bpetok.errors, TrainError);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match &error {
            Error::InDocument { source, .. } | Error::InFile { source, .. } => with_message(source, message),
            other => with_message(other, message),
        }
    }
}

fn with_message(error: &Error, message: String) -> PyErr {
    match error {
        Error::EmptyVocabulary
        | Error::MissingByte(_)
        | Error::EmptyToken(_)
        | Error::DuplicateToken { .. }
        | Error::DuplicateId(_)
        | Error::IdTooLarge(_)
        | Error::BadMerge { .. } => VocabError::new_err(message),
        Error::Pattern { .. } | Error::PatternSteps { .. } => PatternError::new_err(message),
        Error::SpecialInText { .. } | Error::UnknownSpecial { .. } | Error::BadSpecials(_) => {
            SpecialTokenError::new_err(message)
        }
        Error::UnknownId { .. } => TokenIdError::new_err(message),
        Error::Format(_) => FormatError::new_err(message),
        Error::Train(_) => TrainError::new_err(message),
        // (number, text, path): Python then picks FileNotFoundError and its kin.
        Error::Io { path, source } => match source.raw_os_error() {
            Some(number) => {
                let text = source.to_string();
                let text = text.split(" (os error").next().unwrap_or_default().to_owned();
                PyOSError::new_err((number, text, path.display().to_string()))
            }
            None => PyOSError::new_err(message),
        },
        Error::Argument(_) | Error::Interrupted | Error::InDocument { .. } | Error::InFile { .. } => base(message),
    }
}

/// `bpetok.Error` itself, for arguments out of range.
fn base(message: String) -> PyErr {
    Python::attach(|py| {
        let class = py.import("bpetok.errors").and_then(|module| module.getattr("Error"));
        match class.and_then(|class| class.call1((message.as_str(),))) {
            Ok(value) => PyErr::from_value(value),
            Err(_) => PyValueError::new_err(message),
        }
    })
}
