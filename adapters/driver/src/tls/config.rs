//! The configuration of a side of TLS: made of settings, or given.

use std::sync::{Arc, OnceLock};

use super::error::TlsError;

/// What a configuration comes from.
pub(super) enum Source<S, C> {
    Settings {
        settings: S,
        /// Made of them when it is used first.
        made: Arc<OnceLock<Arc<C>>>,
    },
    /// As the program gave it.
    Whole(Arc<C>),
}

impl<S, C> Source<S, C> {
    pub(super) fn new(settings: S) -> Self {
        Self::Settings {
            settings,
            made: Arc::default(),
        }
    }

    /// The settings, for `setter` to change: what was made of them is forgotten.
    ///
    /// # Panics
    ///
    /// If there are none. Neither the one nor the other may be lost silently: both say which peers are trusted.
    #[track_caller]
    pub(super) fn change(&mut self, setter: &str) -> &mut S {
        match self {
            Self::Settings { settings, made } => {
                *made = Arc::default();
                settings
            }
            Self::Whole(_) => {
                panic!("`{setter}` was called, but a whole configuration was given: set it there")
            }
        }
    }

    pub(super) fn config(
        &self,
        build: impl FnOnce(&S) -> Result<C, TlsError>,
    ) -> Result<Arc<C>, TlsError> {
        match self {
            Self::Whole(config) => Ok(config.clone()),
            Self::Settings { settings, made } => match made.get() {
                Some(config) => Ok(config.clone()),
                None => {
                    let config = Arc::new(build(settings)?);
                    Ok(made.get_or_init(|| config).clone())
                }
            },
        }
    }
}

impl<S: Clone, C> Clone for Source<S, C> {
    fn clone(&self) -> Self {
        match self {
            Self::Settings { settings, made } => Self::Settings {
                settings: settings.clone(),
                made: made.clone(),
            },
            Self::Whole(config) => Self::Whole(config.clone()),
        }
    }
}
