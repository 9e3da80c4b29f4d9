// Package bulk helps to write one SQL statement for many rows.
//
// [Chunks] cuts a list into pieces of a few fixed lengths, so that the texts of
// the statements are few and stay prepared; [Params] and [Values] write the
// placeholders for a piece.
package bulk
