package dev.vfio.migration.sandbox.apiserver.cel;

import dev.cel.common.CelAbstractSyntaxTree;
import dev.cel.common.CelOptions;
import dev.cel.common.CelValidationException;
import dev.cel.common.ast.CelExpr.ExprKind.Kind;
import dev.cel.common.navigation.CelNavigableAst;
import dev.cel.common.types.CelType;
import dev.cel.common.types.OptionalType;
import dev.cel.common.types.SimpleType;
import dev.cel.compiler.CelCompiler;
import dev.cel.compiler.CelCompilerFactory;
import dev.cel.extensions.CelExtensions;
import dev.cel.parser.CelStandardMacro;
import dev.cel.runtime.CelEvaluationException;
import dev.cel.runtime.CelRuntime;
import dev.cel.runtime.CelRuntimeFactory;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.Schema.Rule;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Compiles the rules of one schema. Safe for any thread. */
final class RuleCompiler {
  /** Most steps of all loops of one expression together; beyond it the expression is an error. */
  private static final int LOOP_LIMIT = 1_000_000;

  private static final String OPTIONAL_SELECT = "_?._";

  private static final CelOptions OPTIONS =
      CelOptions.current()
          .enableHeterogeneousNumericComparisons(true)
          .enableTimestampEpoch(true)
          .evaluateCanonicalTypesToNativeValues(true)
          .comprehensionMaxIterations(LOOP_LIMIT)
          .build();
  private static final FunctionLibrary FUNCTIONS = KubernetesFunctions.all();
  private static final CelRuntime RUNTIME =
      CelRuntimeFactory.standardCelRuntimeBuilder()
          .setOptions(OPTIONS)
          .addLibraries(
              CelExtensions.strings(),
              CelExtensions.optional(),
              CelExtensions.sets(OPTIONS),
              CelExtensions.encoders())
          .addLibraries(FUNCTIONS)
          .build();

  private final RuleTypes types;

  /** By the type of oldSelf, which tells that of self: compilers are dear to make. */
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
  Expression compile(String expression, Schema schema, Rule rule, CelType result) {
    CelType self = types.of(schema);
    CelCompiler compiler =
        compilers.computeIfAbsent(
            rule.optionalOldSelf() ? OptionalType.create(self) : self,
            oldSelf -> compilerFor(self, oldSelf));
    try {
      CelAbstractSyntaxTree tree = compiler.compile(expression).getAst();
      CelType found = tree.getResultType();
      if (!found.equals(result) && !found.equals(SimpleType.DYN)) {
        throw new IllegalArgumentException(
            "must evaluate to a " + result.name() + ", not to " + found.name());
      }
      CelNavigableAst navigable = CelNavigableAst.fromAst(tree);
      refuseChainedOptionals(tree, navigable);
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

  /**
   * The CEL library would make an optional of an optional of {@code a.?b.?c}, so the rule would not
   * mean what it says.
   */
  private static void refuseChainedOptionals(
      CelAbstractSyntaxTree tree, CelNavigableAst navigable) {
    boolean chained =
        navigable
            .getRoot()
            .allNodes()
            .filter(
                node ->
                    node.getKind() == Kind.CALL
                        && node.expr().call().function().equals(OPTIONAL_SELECT))
            .map(node -> tree.getType(node.expr().call().args().get(0).id()))
            .anyMatch(type -> type.filter(OptionalType.class::isInstance).isPresent());
    if (chained) {
      throw new IllegalArgumentException(
          "this server cannot select an optional field of an optional value: write a.?b.c for"
              + " a.?b.?c");
    }
  }

  private CelCompiler compilerFor(CelType self, CelType oldSelf) {
    return CelCompilerFactory.standardCelCompilerBuilder()
        .setOptions(OPTIONS)
        .setTypeProvider(types)
        .setStandardMacros(CelStandardMacro.STANDARD_MACROS)
        .addLibraries(
            CelExtensions.strings(),
            CelExtensions.optional(),
            CelExtensions.sets(OPTIONS),
            CelExtensions.encoders())
        .addLibraries(FUNCTIONS)
        .addVar("self", self)
        .addVar("oldSelf", oldSelf)
        .build();
  }
}
