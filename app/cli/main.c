/* pare: everything the workbench computes, from the terminal. */
#include "app/cli/pare-cli.h"

#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const PareCliCommand *const commands[]
    = { &pare_cli_info, &pare_cli_run, &pare_cli_evaluate, &pare_cli_optimize, &pare_cli_bench, &pare_cli_export, &pare_cli_replay };
static PareControl *interrupted;

static void
on_interrupt (int signal)
{
  pare_control_cancel (interrupted); /* one atomic store */
}

static void
print_help (void)
{
  g_print ("Usage: pare COMMAND ...\n\n");
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    g_print ("  pare %s %s\n      %s\n", commands[i]->name, commands[i]->synopsis, commands[i]->summary);
  g_print ("\n--json prints one JSON document; --threads N limits the cores. Exit: 0 done, 1 failed, 2 usage.\n");
}

/* NAME=1,3,224,224 */
static gboolean
parse_shape (const char *text, PareNamedShape *shape)
{
  const char *equal = strrchr (text, '=');
  if (equal == NULL || equal == text)
    return FALSE;
  shape->name = g_strndup (text, (gsize)(equal - text));
  shape->shape.rank = 0;
  if (equal[1] == '\0')
    return TRUE;
  g_auto (GStrv) parts = g_strsplit (equal + 1, ",", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      gint64 v;
      if (shape->shape.rank == PARE_MAX_RANK || !g_ascii_string_to_signed (parts[i], 10, 0, G_MAXINT32, &v, NULL))
        return FALSE;
      shape->shape.dims[shape->shape.rank++] = v;
    }
  return TRUE;
}

/* 500M, 2G, bytes. */
static gboolean
parse_bytes (const char *text, guint64 *bytes)
{
  static const char units[] = "KMGT";
  char *end;
  guint64 n = g_ascii_strtoull (text, &end, 10);
  const char *unit = *end != '\0' ? strchr (units, g_ascii_toupper (*end)) : NULL;
  guint shift = unit != NULL ? 10 * (guint)(unit - units + 1) : 0;
  if (!g_ascii_isdigit (text[0]) || (*end != '\0' && (unit == NULL || end[1] != '\0')) || n == 0 || n > G_MAXUINT64 >> shift)
    return FALSE;
  *bytes = n << shift;
  return TRUE;
}

static gboolean
takes (const PareCliCommand *command, const char *option)
{
  g_auto (GStrv) known = g_strsplit (command->options, " ", -1);
  return g_strv_contains ((const char *const *)known, option);
}

static gboolean
parse_count (const char *option, const char *text, guint *value, int *status)
{
  guint64 v;
  if (g_ascii_string_to_unsigned (text, 10, 1, 1000000000, &v, NULL))
    {
      *value = (guint)v;
      return TRUE;
    }
  *status = pare_cli_usage ("--%s takes a whole number above 0, not '%s'", option, text);
  return FALSE;
}

/* Returns -1 to go on, else the exit status. */
static int
parse_option (PareCliOptions *o, const PareCliCommand *command, const char *name, const char *value)
{
  int status = -1;
  guint n;
  PareNamedShape shape;
  if (strcmp (name, "threads") == 0)
    {
      if (parse_count (name, value, &n, &status))
        o->threads = (int)MIN (n, 1024);
    }
  else if (strcmp (name, "limit") == 0)
    parse_count (name, value, &o->limit, &status);
  else if (strcmp (name, "repeat") == 0)
    parse_count (name, value, &o->repeat, &status);
  else if (strcmp (name, "batch") == 0)
    parse_count (name, value, &o->batch, &status);
  else if (strcmp (name, "memory-budget") == 0)
    return parse_bytes (value, &o->memory_budget) ? -1 : pare_cli_usage ("--memory-budget takes bytes, 500M or 2G, not '%s'", value);
  else if (strcmp (name, "backend") == 0)
    return pare_backend_parse (value, &o->backend) ? -1 : pare_cli_usage ("--backend is auto, portable or onednn, not '%s'", value);
  else if (strcmp (name, "split") == 0)
    return pare_split_parse (value, &o->split) ? -1 : pare_cli_usage ("--split is calibration, search, report or all, not '%s'", value);
  else if (strcmp (name, "shape") == 0)
    {
      if (!parse_shape (value, &shape))
        return pare_cli_usage ("--shape takes NAME=1,3,224,224, not '%s'", value);
      g_array_append_val (o->shapes, shape);
    }
  else if (strcmp (name, "input") == 0)
    {
      if (strchr (value, '=') == NULL)
        return pare_cli_usage ("--input takes NAME=FILE.npy, not '%s'", value);
      g_ptr_array_add (o->inputs, g_strdup (value));
    }
  else
    {
      const char **slot = strcmp (name, "data") == 0         ? &o->data
                          : strcmp (name, "recipe") == 0     ? &o->recipe
                          : strcmp (name, "output") == 0     ? &o->output
                          : strcmp (name, "output-dir") == 0 ? &o->output_dir
                          : strcmp (name, "format") == 0     ? &o->format
                          : strcmp (name, "model") == 0      ? &o->model_again
                                                             : &o->predictions;
      *slot = value;
    }
  return status;
}

static int
parse (PareCliOptions *o, const PareCliCommand *command, int argc, char **argv)
{
  for (int i = 0; i < argc; i++)
    {
      if (!g_str_has_prefix (argv[i], "--"))
        {
          if (o->model != NULL)
            return pare_cli_usage ("%s: one file at a time, '%s' is too much", command->name, argv[i]);
          o->model = argv[i];
          continue;
        }
      g_autofree char *name = g_strdup (argv[i] + 2);
      char *equal = strchr (name, '=');
      const char *value = NULL;
      if (equal != NULL)
        {
          *equal = '\0';
          value = strchr (argv[i], '=') + 1;
        }
      if (strcmp (name, "json") == 0 && command->json)
        {
          o->json = TRUE;
          continue;
        }
      if (strcmp (name, "per-layer") == 0 && takes (command, name))
        {
          o->per_layer = TRUE;
          continue;
        }
      if (strcmp (name, "bf16") == 0 && takes (command, name))
        {
          o->bf16 = TRUE;
          continue;
        }
      if (strcmp (name, "hashes") == 0 && takes (command, name))
        {
          o->hashes = TRUE;
          continue;
        }
      if (strcmp (name, "threads") != 0 && (*name == '\0' || !takes (command, name)))
        return pare_cli_usage ("%s: no option --%s", command->name, name);
      if (value == NULL && i + 1 < argc)
        value = argv[++i];
      if (value == NULL)
        return pare_cli_usage ("%s: --%s needs a value", command->name, name);
      int status = parse_option (o, command, name, value);
      if (status >= 0)
        return status;
    }
  if (o->model == NULL)
    return pare_cli_usage ("%s needs a file: pare %s %s", command->name, command->name, command->synopsis);
  return -1;
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  setlocale (LC_NUMERIC, "C");
  if (argc < 2)
    return pare_cli_usage ("no command; 'pare --help' lists them");
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "help") == 0)
    {
      print_help ();
      return PARE_EXIT_DONE;
    }
  if (strcmp (argv[1], "--version") == 0)
    {
      g_print ("pare %s\n", PARE_VERSION);
      return PARE_EXIT_DONE;
    }
  const PareCliCommand *command = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (commands[i]->name, argv[1]) == 0)
      command = commands[i];
  if (command == NULL)
    return pare_cli_usage ("no command '%s'; 'pare --help' lists them", argv[1]);

  PareCliOptions options = { .split = PARE_SPLIT_REPORT, .batch = 1 };
  options.shapes = g_array_new (FALSE, TRUE, sizeof (PareNamedShape));
  options.inputs = g_ptr_array_new_with_free_func (g_free);
  options.control = interrupted = pare_control_new (pare_cli_progress, NULL);
  struct sigaction action = { .sa_handler = on_interrupt };
  sigaction (SIGINT, &action, NULL);
  int status = parse (&options, command, argc - 2, argv + 2);
  if (status < 0)
    {
      if (options.threads == 0)
        options.threads = pare_default_threads ();
      status = command->run (&options);
    }
  pare_cli_end_progress ();
  for (guint i = 0; i < options.shapes->len; i++)
    g_free ((char *)g_array_index (options.shapes, PareNamedShape, i).name);
  g_array_unref (options.shapes);
  g_ptr_array_unref (options.inputs);
  pare_control_unref (options.control);
  return status;
}
