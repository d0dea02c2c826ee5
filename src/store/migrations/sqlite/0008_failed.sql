-- Messages that will never be shown are counted among many that are.
CREATE INDEX deliveries_failed ON deliveries (state) WHERE state = 'failed';
