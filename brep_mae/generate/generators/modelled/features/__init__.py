"""Operations that modellers add to a part, each of them one function."""
