package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Configure sets the flags of cmd that were not given on the command line. [Execute] does
// so before a command runs; completion, which runs none, calls it by itself.
func Configure(cmd *cobra.Command, getenv func(string) string, prefix string) error {
	flags := cmd.Flags()
	config := flags.Lookup("config")
	if value := getenv(variable(prefix, "config")); value != "" && !config.Changed {
		_ = config.Value.Set(value) // a string: cannot fail
	}
	file := map[string]setting{}
	if path := config.Value.String(); path != "" {
		var err error
		if file, err = readFile(path, cmd.Root()); err != nil {
			return err
		}
	}
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f == config || f.Name == "help" || f.Name == "version" {
			return
		}
		origin, err := fill(flags, f, getenv, variable(prefix, f.Name), file)
		if err == nil && origin != "" && wantsValue(f) && isEmpty(f.Value) {
			err = errors.New("empty, want a value, or leave it out")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", origin, err))
		}
	})
	return errors.Join(errs...)
}

// fill sets a flag that was not given on the command line. It returns where its value
// is from, or nothing for the default.
func fill(flags *Flags, f *pflag.Flag, getenv func(string) string, name string, file map[string]setting) (origin string, err error) {
	if f.Changed {
		return "--" + f.Name, nil
	}
	value := getenv(name)
	_, set := os.LookupEnv(name) // getenv cannot tell an empty variable from none
	if value != "" || set && wantsValue(f) {
		return name, flags.Set(f.Name, value)
	}
	s, ok := file[f.Name]
	if !ok {
		return "", nil
	}
	return s.origin, flags.Set(f.Name, s.value)
}

const valueKey = "tutti_value" // annotation of a flag

// WantValue has flags refuse a value that is given but empty, as by a script that did
// not find out what to give: the default would mean another system.
func WantValue(f *Flags, names ...string) {
	for _, name := range names {
		if err := f.SetAnnotation(name, valueKey, nil); err != nil {
			panic(err) // no such flag
		}
	}
}

func wantsValue(f *pflag.Flag) bool {
	_, found := f.Annotations[valueKey]
	return found
}

func isEmpty(v pflag.Value) bool {
	if list, ok := v.(pflag.SliceValue); ok {
		return len(list.GetSlice()) == 0
	}
	return v.String() == ""
}

// variable is the environment variable of a flag, as in SHOP_LOG_LEVEL.
func variable(prefix, flag string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setting is a line of a configuration file.
type setting struct{ value, origin string }

const maxFile = 1 << 20 // bytes of a configuration file

// readFile reads lines of "flag = value". A value may be quoted as in Go; lines
// that are empty or start with # say nothing. One file may serve all commands
// under root: a name that none of them knows is an error.
func readFile(path string, root *cobra.Command) (map[string]setting, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	settings, known := map[string]setting{}, flagNames(root)
	lines := bufio.NewScanner(io.LimitReader(f, maxFile))
	lines.Buffer(nil, maxFile+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff")) // as editors on Windows begin a file
		if line == "" || line[0] == '#' {
			continue
		}
		origin := fmt.Sprintf("%s:%d", path, n)
		name, value, found := strings.Cut(line, "=")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !found {
			return nil, fmt.Errorf("%s: want flag = value", origin)
		}
		if !known[name] || name == "config" {
			return nil, fmt.Errorf("%s: no command has a flag %q", origin, name)
		}
		if prior, twice := settings[name]; twice {
			return nil, fmt.Errorf("%s: %s is set already at %s", origin, name, prior.origin)
		}
		if strings.HasPrefix(value, `"`) {
			if value, err = strconv.Unquote(value); err != nil {
				return nil, fmt.Errorf("%s: the quoted value of %s is broken", origin, name)
			}
		}
		settings[name] = setting{value, origin}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	if info, err := f.Stat(); err == nil && info.Size() > maxFile {
		return nil, fmt.Errorf("read configuration %s: %d bytes long, want at most %d", path, info.Size(), maxFile)
	}
	return settings, nil
}

// flagNames collects the flags of a command and of all below it.
func flagNames(cmd *cobra.Command) map[string]bool {
	names := map[string]bool{}
	for _, flags := range []*pflag.FlagSet{cmd.LocalFlags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) { names[f.Name] = true })
	}
	for _, sub := range cmd.Commands() {
		for name := range flagNames(sub) {
			names[name] = true
		}
	}
	return names
}
