package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// program returns a root command with a flag of each kind and one subcommand.
func program(size *int, names *[]string, wait *time.Duration, fail error) *cobra.Command {
	root := &cobra.Command{Use: "prog", RunE: func(*cobra.Command, []string) error { return fail }, Args: cobra.NoArgs}
	root.Flags().IntVar(size, "size", 1, "how large")
	root.Flags().StringSliceVar(names, "names", nil, "which ones")
	root.Flags().String("place", "here", "where")
	WantValue(root.Flags(), "names", "place")
	root.Flags().DurationVar(wait, "wait-time", time.Second, "how long")
	sub := &cobra.Command{Use: "sub FILE", Args: cobra.ExactArgs(1), RunE: func(*cobra.Command, []string) error { return nil }}
	sub.Flags().String("other", "", "something else")
	root.AddCommand(sub)
	root.SetOut(&bytes.Buffer{})
	root.SetErr(&bytes.Buffer{})
	return root
}

func TestSettingsByFlagThenEnvironmentThenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "prog.conf")
	text := "# all at once\n\nsize = 3\nnames=\"a,b\"\n wait-time = 3s \nother = for the subcommand\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	marked := filepath.Join(t.TempDir(), "marked.conf")
	if err := os.WriteFile(marked, []byte("\ufeffsize = 3\r\nnames = a\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		args  []string
		env   map[string]string
		size  int
		names string
		wait  time.Duration
	}{
		{name: "defaults", size: 1, wait: time.Second},
		{name: "file", args: []string{"--config", file}, size: 3, names: "a,b", wait: 3 * time.Second},
		{name: "file with a byte order mark", args: []string{"--config", marked}, size: 3, names: "a", wait: time.Second},
		{name: "file named by the environment", env: map[string]string{"P_CONFIG": file}, size: 3, names: "a,b", wait: 3 * time.Second},
		{name: "environment over file", args: []string{"--config", file}, env: map[string]string{"P_SIZE": "2", "P_WAIT_TIME": "2s"}, size: 2, names: "a,b", wait: 2 * time.Second},
		{name: "flag over environment", args: []string{"--size", "4", "--names=c"}, env: map[string]string{"P_SIZE": "2", "P_NAMES": "d"}, size: 4, names: "c", wait: time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var size int
			var names []string
			var wait time.Duration
			getenv := func(name string) string { return tc.env[name] }
			if err := Execute(context.Background(), program(&size, &names, &wait, nil), tc.args, getenv, "P"); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(names, ","); size != tc.size || got != tc.names || wait != tc.wait {
				t.Errorf("size %d, names %q, wait %v, want %d, %q, %v", size, got, wait, tc.size, tc.names, tc.wait)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		f, err := os.CreateTemp(dir, "*.conf")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		return f.Name()
	}
	for _, tc := range []struct {
		name string
		args []string
		env  string // of P_SIZE
		fail error
		code int
		want string
	}{
		{name: "fine", code: 0},
		{name: "help", args: []string{"--help"}, code: 0},
		{name: "failure", fail: errors.New("broken"), code: 1, want: "broken"},
		{name: "said", fail: Failed(), code: 1, want: "said"},
		{name: "unknown flag", args: []string{"--nope"}, code: 2, want: "--nope"},
		{name: "unknown command", args: []string{"nope"}, code: 2, want: `"nope"`},
		{name: "completion", args: []string{"completion"}, code: 0},
		{name: "completion of an unknown shell", args: []string{"completion", "nosh"}, code: 2, want: `"nosh"`},
		{name: "help of a command", args: []string{"help", "sub"}, code: 0},
		{name: "help of an unknown command", args: []string{"help", "nope"}, code: 2, want: `"nope"`},
		{name: "missing argument", args: []string{"sub"}, code: 2, want: "accepts 1 arg"},
		{name: "bad flag", args: []string{"--size", "x"}, code: 2, want: "--size"},
		{name: "bad environment", env: "huge", code: 2, want: "P_SIZE"},
		{name: "no such file", args: []string{"--config", filepath.Join(dir, "none")}, code: 2, want: "read configuration"},
		{name: "a directory", args: []string{"--config", dir}, code: 2, want: "read configuration"},
		{name: "unknown name", args: []string{"--config", write("\nsiez = 3\n")}, code: 2, want: `:2: no command has a flag "siez"`},
		{name: "no value", args: []string{"--config", write("size 3")}, code: 2, want: ":1: want flag = value"},
		{name: "bad value", args: []string{"--config", write("size = \"")}, code: 2, want: "quoted value"},
		{name: "wrong value", args: []string{"--config", write("size = many")}, code: 2, want: "many"},
		{name: "empty flags", args: []string{"--names=", "--place", ""}, code: 2, want: "--names: empty, want a value, or leave it out\n--place: empty"},
		{name: "empty in the file", args: []string{"--config", write("names =")}, code: 2, want: ":1: empty"},
		{name: "empty in the file, and a flag", args: []string{"--config", write("names ="), "--names=a"}, code: 0},
		{name: "empty in the file of another command", args: []string{"sub", "x", "--config", write("names =")}, code: 0},
		{name: "twice", args: []string{"--config", write("size = 1\nsize = 2")}, code: 2, want: "already"},
		{name: "too large", args: []string{"--config", write(strings.Repeat("# x\n", maxFile/3))}, code: 2, want: "want at most"},
		{name: "one long line", args: []string{"--config", write(strings.Repeat("x", 2*maxFile))}, code: 2, want: "want flag = value"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			getenv := func(name string) string {
				if name == "P_SIZE" {
					return tc.env
				}
				return ""
			}
			err := Execute(context.Background(), program(new(int), new([]string), new(time.Duration), tc.fail), tc.args, getenv, "P")
			if got := code(err); got != tc.code {
				t.Errorf("exit code %d, want %d (error %v)", got, tc.code, err)
			}
			if err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %.300q, want %q in it", err, tc.want)
			}
		})
	}
}

// An empty variable is none, but where a flag wants a value.
func TestEmptyVariable(t *testing.T) {
	for variable, want := range map[string]int{"P_SIZE": 0, "P_NAMES": 2, "P_PLACE": 2} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, "")
			root := program(new(int), new([]string), new(time.Duration), nil)
			if err := Execute(context.Background(), root, nil, os.Getenv, "P"); code(err) != want {
				t.Errorf("exit code %d, want %d (error %v)", code(err), want, err)
			}
		})
	}
}
