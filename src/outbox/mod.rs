//! Deliveries: order, pacing, retry, reconciliation.
