//! Composition root: builds everything, returns one future, joins everything on shutdown.
