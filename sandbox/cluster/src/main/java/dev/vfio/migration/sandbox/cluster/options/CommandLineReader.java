package dev.vfio.migration.sandbox.cluster.options;

import java.util.Arrays;
import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Reads a command line with picocli, and says what is wrong with it in this project's words. */
public final class CommandLineReader {
  private CommandLineReader() {}

  /**
   * Fills the fields that carry picocli's annotations.
   *
   * @return {@code options}
   * @throws WrongOptionException where an option is unknown or missing, lacks its value or has one
   *     that is not possible
   */
  public static <T> T read(T options, String... arguments) throws WrongOptionException {
    CommandLine commandLine =
        new CommandLine(options)
            .setAllowOptionsAsOptionParameters(false)
            .setExpandAtFiles(false)
            .setOverwrittenOptionsAllowed(true);
    try {
      for (OptionSpec given : commandLine.parseArgs(arguments).matchedOptions()) {
        if (given.stringValues().contains("")) {
          throw new WrongOptionException(name(given) + " needs a value");
        }
      }
      return options;
    } catch (UnmatchedArgumentException e) {
      throw new WrongOptionException("there is no option " + e.getUnmatched().get(0));
    } catch (MissingParameterException e) {
      String name = name(e.getMissing().get(0));
      boolean given = Arrays.stream(arguments).anyMatch(name::equals);
      throw new WrongOptionException(name + (given ? " needs a value" : " is missing"));
    } catch (ParameterException e) {
      throw new WrongOptionException(impossible(e));
    }
  }

  private static String impossible(ParameterException e) {
    ArgSpec option = e.getArgSpec();
    if (option == null) {
      return e.getMessage();
    }
    if (option.arity().max() == 0) {
      return name(option) + " takes no value";
    }
    if (option.type().isEnum()) {
      String possible = Arrays.toString(option.type().getEnumConstants());
      return "%s: '%s' is not possible; it takes one of %s"
          .formatted(name(option), e.getValue(), possible.substring(1, possible.length() - 1));
    }
    return name(option) + ": '" + e.getValue() + "' is not possible";
  }

  private static String name(ArgSpec option) {
    return ((OptionSpec) option).longestName();
  }
}
