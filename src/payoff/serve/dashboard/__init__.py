"""The dashboard: pages of the service for people, by the same process, without internet."""
