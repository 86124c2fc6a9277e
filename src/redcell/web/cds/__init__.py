"""CDS Hooks: decision support that other systems call while a chart or an order is open."""
