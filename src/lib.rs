//! bpetok core.
#[cfg(feature = "python")]
mod py;
