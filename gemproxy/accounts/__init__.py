"""Who may call how much, and what it cost: limits, holds, prices and charges, without I/O."""
