"""Engine: asks dbt for the SQL of the models and runs it."""
