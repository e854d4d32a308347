package dev.vfio.migration.sandbox.apiserver.cel;

import dev.cel.common.CelAbstractSyntaxTree;
import dev.cel.common.CelOptions;
import dev.cel.common.CelValidationException;
import dev.cel.common.ast.CelExpr.ExprKind.Kind;
import dev.cel.common.navigation.CelNavigableAst;
import dev.cel.common.types.CelType;
import dev.cel.common.types.SimpleType;
import dev.cel.compiler.CelCompiler;
import dev.cel.compiler.CelCompilerFactory;
import dev.cel.extensions.CelExtensions;
import dev.cel.parser.CelStandardMacro;
import dev.cel.runtime.CelEvaluationException;
import dev.cel.runtime.CelRuntime;
import dev.cel.runtime.CelRuntimeFactory;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Compiles the rules of one schema. Of the libraries that Kubernetes adds to CEL only the one for
 * strings is there; a rule that uses another one does not compile. Safe for any thread.
 */
final class RuleCompiler {
  /** Limit for the steps of all loops of one expression together. */
  private static final int MAX_LOOP_STEPS = 1_000_000;

  private static final CelOptions OPTIONS =
      CelOptions.current()
          .enableHeterogeneousNumericComparisons(true)
          .enableTimestampEpoch(true)
          .evaluateCanonicalTypesToNativeValues(true)
          .comprehensionMaxIterations(MAX_LOOP_STEPS)
          .build();
  private static final CelRuntime RUNTIME =
      CelRuntimeFactory.standardCelRuntimeBuilder()
          .setOptions(OPTIONS)
          .addLibraries(CelExtensions.strings())
          .build();

  private final RuleTypes types;

  /** By the type of self and oldSelf: a compiler takes long to make. */
  private final Map<CelType, CelCompiler> compilers = new ConcurrentHashMap<>();

  RuleCompiler(Schema root) {
    this.types = new RuleTypes(root);
  }

  /**
   * A compiled expression.
   *
   * @param program runs it with the variables self and, where it is used, oldSelf
   * @param usesOldSelf whether it compares with the value before
   * @param tree for the estimate of its cost
   */
  record Expression(CelRuntime.Program program, boolean usesOldSelf, CelNavigableAst tree) {}

  /**
   * Compiles an expression over the values of a schema.
   *
   * @param result the type that it must have
   * @throws IllegalArgumentException saying where and why it does not compile
   */
  Expression compile(String expression, Schema schema, CelType result) {
    CelCompiler compiler = compilers.computeIfAbsent(types.of(schema), this::compilerFor);
    try {
      CelAbstractSyntaxTree tree = compiler.compile(expression).getAst();
      CelType found = tree.getResultType();
      if (!found.equals(result) && !found.equals(SimpleType.DYN)) {
        throw new IllegalArgumentException(
            "must evaluate to a " + result.name() + ", not to " + found.name());
      }
      CelNavigableAst navigable = CelNavigableAst.fromAst(tree);
      boolean usesOldSelf =
          navigable
              .getRoot()
              .allNodes()
              .anyMatch(
                  node ->
                      node.getKind() == Kind.IDENT && node.expr().ident().name().equals("oldSelf"));
      return new Expression(RUNTIME.createProgram(tree), usesOldSelf, navigable);
    } catch (CelValidationException e) {
      throw new IllegalArgumentException("compilation failed: " + e.getMessage(), e);
    } catch (CelEvaluationException e) {
      throw new IllegalArgumentException("no program can be made of it: " + e.getMessage(), e);
    }
  }

  private CelCompiler compilerFor(CelType self) {
    return CelCompilerFactory.standardCelCompilerBuilder()
        .setOptions(OPTIONS)
        .setTypeProvider(types)
        .setStandardMacros(CelStandardMacro.STANDARD_MACROS)
        .addLibraries(CelExtensions.strings())
        .addVar("self", self)
        .addVar("oldSelf", self)
        .build();
  }
}
