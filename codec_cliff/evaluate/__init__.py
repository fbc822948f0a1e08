"""Anyone's reconstructions: folders of recordings in, the study's metrics, tables and page out (`codec-cliff evaluate`)."""
