package card

import "testing"

func TestIn(t *testing.T) {
	for token, want := range map[string]bool{
		"4111111111111111": true, "4111 1111 1111 1111": true, "4111-1111-1111-1111": true, "4111.1111.1111.1111": true,
		" 4111111111111111 ": true, "378282246310005": true, "4222222222222": true, "6304000000000000000": true,
		"tok_4111111111111111": true, "tok_4111-1111-1111-1111": true, "card4111111111111111": true, "4111111111111111;12/29": true,
		"4111111111111112": false, "411111111111": false, "41111111111111111111": false, "": false, "-": false,
		"tok_ok": false, "tok_ok_4111111111111111": false, "tok_decline": false, "tok_down_3_x": false,
	} {
		if got := In(token); got != want {
			t.Errorf("In(%q) = %v, want %v", token, got, want)
		}
	}
}
