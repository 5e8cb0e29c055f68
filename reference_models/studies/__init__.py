"""The paper's studies in small: Table 3, Figures 5 and 6, and whether the tiny family is what it should be."""
