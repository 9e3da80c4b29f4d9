package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const groupKey = "tutti_group" // annotation of a flag

// Group binds flags that the help shows under a heading of their own.
func Group(f *Flags, heading string, bind func(*Flags)) {
	group := pflag.NewFlagSet(heading, pflag.ContinueOnError)
	group.SortFlags = false
	bind(group)
	group.VisitAll(func(flag *pflag.Flag) {
		f.AddFlag(flag)
		_ = f.SetAnnotation(flag.Name, groupKey, []string{heading}) // it is there
	})
}

func init() { cobra.AddTemplateFunc("grouped", grouped) }

// usageTemplate is cobra's, with flags in groups.
func usageTemplate(cmd *cobra.Command) string {
	return strings.Replace(cmd.UsageTemplate(), "{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}", "{{grouped .LocalFlags}}", 1)
}

// grouped is the help text of flags: those of no group first.
func grouped(f *pflag.FlagSet) string {
	sets, headings := map[string]*pflag.FlagSet{}, []string{""}
	f.VisitAll(func(flag *pflag.Flag) {
		heading := ""
		if a := flag.Annotations[groupKey]; len(a) > 0 {
			heading = a[0]
		}
		if sets[heading] == nil {
			sets[heading] = pflag.NewFlagSet(heading, pflag.ContinueOnError)
			sets[heading].SortFlags = heading == ""
			if heading != "" {
				headings = append(headings, heading)
			}
		}
		sets[heading].AddFlag(flag)
	})
	var out []string
	for _, heading := range headings {
		switch set := sets[heading]; {
		case set == nil:
		case heading == "":
			out = append(out, strings.TrimRight(set.FlagUsages(), " \n"))
		default:
			out = append(out, heading+":\n"+strings.TrimRight(set.FlagUsages(), " \n"))
		}
	}
	return strings.Join(out, "\n\n")
}
