package dev.vfio.migration.sandbox.apiserver;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;

/**
 * The API server as a process. It prints one line {@code READY http://...} when clients may come,
 * and ends on SIGTERM.
 *
 * <p>Exit codes: 143 after SIGTERM, as every JVM; 2 for wrong arguments; 1 if it could not start.
 */
public final class ApiServerProcess {
  private static final String USAGE =
      """
      usage: ApiServerProcess [--address 127.0.0.1] [--port 0] [--kubeconfig FILE] [--data-directory DIR] [--crds DIR]
        --address         loopback address to listen on
        --port            0 takes any free port
        --kubeconfig      written when the server is ready
        --data-directory  keeps objects over a restart; without it they live in memory
        --crds            directory of CustomResourceDefinitions to create first\
      """;

  private ApiServerProcess() {}

  /** Runs until SIGTERM. */
  public static void main(String[] arguments) throws InterruptedException {
    ApiServerOptions options = ApiServerOptions.defaults();
    Optional<Path> kubeconfig = Optional.empty();
    try {
      for (int i = 0; i < arguments.length; i += 2) {
        String value = value(arguments, i);
        switch (arguments[i]) {
          case "--address" ->
              options = options.listeningOn(InetAddress.getByName(value), options.port());
          case "--port" ->
              options = options.listeningOn(options.address(), Integer.parseInt(value));
          case "--kubeconfig" -> kubeconfig = Optional.of(Path.of(value));
          case "--data-directory" -> options = options.withDataDirectory(Path.of(value));
          case "--crds" -> options = options.withDefinitions(Path.of(value));
          default -> throw new IllegalArgumentException("unknown argument " + arguments[i]);
        }
      }
    } catch (IllegalArgumentException | IOException e) {
      System.err.println("error: " + e.getMessage());
      System.err.println(USAGE);
      System.exit(2);
    }
    run(options, kubeconfig);
  }

  private static void run(ApiServerOptions options, Optional<Path> kubeconfig)
      throws InterruptedException {
    try {
      ApiServer server = new ApiServer(options);
      CountDownLatch stopped = new CountDownLatch(1);
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    server.close();
                    stopped.countDown();
                  },
                  "apiserver-shutdown"));
      if (kubeconfig.isPresent()) {
        Kubeconfig.write(kubeconfig.get(), server.url());
      }
      System.out.println("READY " + server.url());
      System.out.flush();
      stopped.await();
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("error: the API server did not start: " + e.getMessage());
      System.exit(1);
    }
  }

  private static String value(String[] arguments, int at) {
    if (at + 1 >= arguments.length) {
      throw new IllegalArgumentException(arguments[at] + " needs a value");
    }
    return arguments[at + 1];
  }
}
