"""Human comparison of videos: ratings as better, same, worse (G, S, B), and what may be concluded from them.

The road of a rating: `ratings` (data model) <- `rating_files`, `vbench`, `induced` (where they come from) -> `plan`
(rules fixed beforehand) -> `screening` -> `winrate`, `davidson`, `side`, `agreement` -> `analysis` -> `gsb_tables`,
`gsb_figures`, `gsb_report`. `power`, `simulate` plan a study; `grim` audits a published table. No torch anywhere.
"""
