"""The pages of the service in a real Chromium. A package, so that its fixtures end where its tests do."""
